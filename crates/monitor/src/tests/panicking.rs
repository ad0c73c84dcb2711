//! A panic in a real terminal, which `script` of util-linux makes: this program is run in it once more.

use std::fs;
use std::process::{Command, Stdio};

use crate::palette::{Palette, Tone};
use crate::terminal::{Look, Terminal, has_panicked};

/// Set in the program that panics.
const ROLE: &str = "COMPARTMENT_MONITOR_PANICS";

#[test]
fn panics_if_it_is_told_to() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let look = Look { palette: Palette::new(true), is_ascii: false };
    let mut terminal = Terminal::take(look).unwrap();
    terminal.draw(|canvas| canvas.text(0, 0, 9, "drawn", Tone::Plain)).unwrap();
    let ended = std::thread::spawn(|| panic!("made up")).join();
    assert!(ended.is_err() && has_panicked());
    terminal.draw(|canvas| canvas.text(0, 0, 9, "too late", Tone::Plain)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_panic_of_any_thread_gives_the_terminal_back_before_its_message() {
    let folder = std::env::temp_dir().join(format!("compartment-monitor-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let program = std::env::current_exe().unwrap();
    let run = format!(
        "stty rows 24 cols 80; stty -g > before; '{}' --exact tests::panicking::panics_if_it_is_told_to \
         --nocapture; stty -g > after",
        program.display()
    );
    let mut script = Command::new("script");
    script.args(["-q", "-e", "-f", "-c", &run, "/dev/null"]).current_dir(&folder).env(ROLE, "1");
    // While its input is open, `script` waits for the program.
    let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let input = script.stdin.take();
    let output = script.wait_with_output().unwrap();
    drop(input);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(read("before"), read("after"), "the modes of the terminal");
    fs::remove_dir_all(&folder).unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    let back = shown.find("\u{1b}[?1049l").expect("it leaves its own screen");
    let message = shown.find("made up").expect("the message is printed");
    assert!(shown.contains("drawn") && back < message, "{shown:?}");
    assert!(!shown.contains("too late"), "{shown:?}");
}
