//! To be written.

pub mod pages;
