//! Where schemas come from: proto directories, descriptor sets, reflection.
