//! Listeners, the acceptor, and connections with every limit in reach.
