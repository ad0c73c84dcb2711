//! The monitor in a real terminal: screens, a server that goes and comes back, signals, and the terminal afterwards.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use compartment_testkit::{TestRedis, run_test};

use crate::program::{command, run};

/// A step that takes longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The monitor in a pseudo terminal of 80 × 24, which `script` of util-linux makes.
struct Screen {
    script: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<Vec<u8>>>,
    folder: std::path::PathBuf,
}

impl Screen {
    fn start(folder: &Path, url: &str, more: &str) -> Self {
        // The modes of the terminal before and after are what `stty` says.
        let monitor = format!(
            "stty rows 24 cols 80; stty -g > before; sh -c 'echo $$ > pid; exec \"$MONITOR\" monitor \
             --backend {url} --interval 1s --state state --ledger none {more}'; echo $? > code; stty -g > after"
        );
        let program = command(folder, &[]);
        let mut script = Command::new("script");
        script.args(["-q", "-e", "-f", "-c", &monitor, "/dev/null"]).current_dir(folder);
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        script.env("MONITOR", program.get_program()).env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut script = script.spawn().unwrap();
        let (keys, mut out) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
        let shown = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut part = [0; 4_096];
            while let Ok(read @ 1..) = out.read(&mut part) {
                seen.lock().unwrap().extend_from_slice(&part[..read]);
            }
        });
        Self { script, keys, shown, folder: folder.to_owned() }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Draws the screen anew until it has one text and not the other.
    fn wait_for(&mut self, wanted: &str, unwanted: &str) {
        let began = Instant::now();
        loop {
            let mark = self.shown.lock().unwrap().len();
            self.press("\u{c}");
            let is_drawn = |bytes: &[u8]| words(bytes).contains("compartment monitor");
            while !is_drawn(&self.shown.lock().unwrap()[mark..]) && began.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(20));
            }
            // The frame is written in one piece.
            let shown = words(&self.shown.lock().unwrap()[mark..]);
            if shown.contains(wanted) && (unwanted.is_empty() || !shown.contains(unwanted)) {
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{wanted:?} without {unwanted:?} is not shown: {shown}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn read(&self, name: &str) -> String {
        let began = Instant::now();
        loop {
            match fs::read_to_string(self.folder.join(name)) {
                Ok(text) if text.ends_with('\n') => return text,
                _ => assert!(began.elapsed() < PATIENCE, "there is no {name}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.read("pid");
        assert!(Command::new("kill").args(["-s", name, pid.trim()]).status().unwrap().success());
    }

    /// Waits for the end, and checks that the terminal is as it was.
    fn ends_well(mut self) -> String {
        let (code, before, after) = (self.read("code"), self.read("before"), self.read("after"));
        self.script.wait().unwrap();
        assert_eq!(before, after, "the modes of the terminal");
        let shown = self.shown.lock().unwrap().clone();
        let last = |code: &str| {
            let at = String::from_utf8_lossy(&shown).rfind(code);
            at.unwrap_or_else(|| panic!("{code:?} was never written"))
        };
        assert!(last("\u{1b}[?1049l") > last("\u{1b}[?1049h"), "it leaves its own screen");
        assert!(last("\u{1b}[?25h") > last("\u{1b}[?25l"), "the cursor is back");
        assert_eq!(code, "0\n", "{}", words(&shown));
        words(&shown)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.script.kill();
    }
}

/// The text of what a terminal got, each of its commands as a space.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut words = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' {
            words.push(letter);
            continue;
        }
        words.push(' ');
        if letters.next() == Some('[') {
            letters.find(|letter| ('@'..='~').contains(letter));
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
#[ignore = "needs redis-server"]
fn screens_change_and_a_server_that_goes_comes_back() {
    run_test(async {
        let mut redis = TestRedis::start().await;
        redis.command_in(2, &["SET", "page:1", "x", "EX", "900"]).await;
        let folder = tempfile::tempdir().unwrap();
        let mut screen = Screen::start(folder.path(), &redis.url(), "");
        screen.wait_for("databases · ", "");
        screen.wait_for("cache 1 ", "");
        screen.press("2");
        screen.wait_for("there are no batches", "");
        screen.press("7");
        screen.wait_for("it answers", "");
        screen.press("1j\r");
        screen.wait_for("kind durable", "");
        // Not Esc: with the next key behind it, it would be Alt and that key.
        screen.press("\u{7f}");
        screen.wait_for("databases · ", "");
        redis.kill();
        screen.wait_for("! primary is away for", "");
        screen.wait_for("cache 1 ", "");
        redis.restart().await;
        screen.wait_for("databases · ", "is away");
        screen.press("q");
        screen.ends_well();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn signals_end_it_and_give_the_terminal_back() {
    run_test(async {
        let redis = TestRedis::start().await;
        for signal in ["TERM", "HUP", "INT"] {
            let folder = tempfile::tempdir().unwrap();
            let mut screen = Screen::start(folder.path(), &redis.url(), "--color never");
            screen.wait_for("databases · ", "");
            screen.signal(signal);
            screen.ends_well();
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs redis-server"]
fn ctrl_z_gives_the_terminal_back_and_a_return_takes_it_again() {
    run_test(async {
        let redis = TestRedis::start().await;
        let folder = tempfile::tempdir().unwrap();
        let mut screen = Screen::start(folder.path(), &redis.url(), "");
        screen.wait_for("databases · ", "");
        screen.press("\u{1a}");
        let process = Path::new("/proc").join(screen.read("pid").trim());
        let began = Instant::now();
        let is_stopped = || {
            let stat = fs::read_to_string(process.join("stat")).unwrap();
            stat.rsplit(')').next().unwrap().trim_start().starts_with('T')
        };
        while !is_stopped() {
            assert!(began.elapsed() < PATIENCE, "it goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
        let terminal = process.join("fd/0");
        let modes = Command::new("stty").arg("-g").arg("-F").arg(&terminal).output().unwrap();
        assert_eq!(String::from_utf8(modes.stdout).unwrap(), screen.read("before"));
        screen.signal("CONT");
        screen.wait_for("databases · ", "");
        screen.press("q");
        screen.ends_well();
    });
}

#[test]
fn without_a_server_or_a_terminal_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let memory = run(folder.path(), &["monitor"]);
    assert_eq!(memory.code, 4, "{memory:?}");
    assert!(memory.err.contains("memory://") && memory.err.contains("--backend"), "{memory:?}");
    let piped = run(folder.path(), &["monitor", "--backend", "redis://127.0.0.1:1"]);
    assert_eq!(piped.code, 2, "{piped:?}");
    assert!(piped.err.contains("needs a terminal"), "{piped:?}");
    let often = run(folder.path(), &["monitor", "--interval", "500ms"]);
    assert!(often.code == 2 && often.err.contains("at least 1s"), "{often:?}");
}
