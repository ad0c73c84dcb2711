//! Tests of what is drawn and what keys do, on made-up looks.

mod looks;
mod panicking;
mod pressing;
mod screens;
