//! Client protocols: an adapter and its responders each, behind one front door.
