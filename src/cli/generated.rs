//! Completions and manual pages, from the definitions that the command line itself is read by.
//!
//! They are committed (`completions/`, `docs/man/`) and compared here, so that packaging needs no
//! build step and the shipped binary carries no generator. When a definition changes, the test
//! writes the files anew and fails once: look at the difference and commit it.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory, ValueHint};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::Arguments;

#[test]
fn completions_and_manual_pages_are_those_of_the_definitions() {
    let mut stale = Vec::new();
    for (path, text) in completions().into_iter().chain(pages()) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(&path);
        if fs::read_to_string(&file).is_ok_and(|committed| committed == text) {
            continue;
        }
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        stale.push(path);
    }
    assert!(
        stale.is_empty(),
        "these were stale and are written anew; look at them and commit them: {stale:?}"
    );
}

#[test]
fn every_verb_and_every_option_is_in_them() {
    let everything: Vec<(String, String)> = completions().into_iter().chain(pages()).collect();
    let text_of = |wanted: &str| {
        let (_, text) = everything.iter().find(|(path, _)| path == wanted).unwrap();
        text.replace('\\', "")
    };
    for verb in command().get_subcommands() {
        let page = text_of(&format!("docs/man/quaygate-{}.1", verb.get_name()));
        let shells = ["completions/quaygate.bash", "completions/_quaygate"].map(text_of);
        for option in verb.get_arguments().filter_map(|arg| arg.get_long()) {
            assert!(page.contains(&format!("--{option}")), "{option}: {page}");
            for shell in &shells {
                assert!(shell.contains(&format!("--{option}")), "{option}");
            }
        }
        assert!(
            text_of("docs/man/quaygate.1").contains(&format!("quaygate-{}(1)", verb.get_name()))
        );
        assert!(text_of("completions/quaygate.fish").contains(verb.get_name()));
    }
}

/// The definitions, whole. A policy is a word or a path, and so is completed as a path.
fn command() -> Command {
    let mut command = Arguments::command().mut_subcommands(|verb| {
        verb.mut_args(|argument| {
            let names = argument.get_value_names().unwrap_or_default();
            if names.iter().any(|name| FILES.contains(&name.as_str())) {
                argument.value_hint(ValueHint::AnyPath)
            } else {
                argument
            }
        })
    });
    command.build();
    command
}

/// Names of values that are files, or may be.
const FILES: [&str; 4] = ["POLICY", "PATH", "DIR", "OUTPUT"];

fn completions() -> Vec<(String, String)> {
    [
        (Shell::Bash, "quaygate.bash"),
        (Shell::Fish, "quaygate.fish"),
        (Shell::Zsh, "_quaygate"),
    ]
    .map(|(shell, file)| {
        let mut text = Vec::new();
        generate(shell, &mut command(), "quaygate", &mut text);
        (
            format!("completions/{file}"),
            String::from_utf8(text).unwrap(),
        )
    })
    .into()
}

/// A page for the program, and one for each verb.
fn pages() -> Vec<(String, String)> {
    let command = command();
    let mut pages = vec![("docs/man/quaygate.1".to_owned(), page(&command))];
    pages.extend(command.get_subcommands().map(|verb| {
        let path = format!("docs/man/quaygate-{}.1", verb.get_name());
        (path, page(verb))
    }));
    pages
}

/// One page. clap's own rendering leaves out what stands before the usage: the examples.
fn page(command: &Command) -> String {
    let man = Man::new(command.clone()).source(concat!("quaygate ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render_title(&mut text).unwrap();
    man.render_name_section(&mut text).unwrap();
    man.render_synopsis_section(&mut text).unwrap();
    man.render_description_section(&mut text).unwrap();
    if let Some(example) = command.get_before_help() {
        text.extend(example_section(&example.to_string()).into_bytes());
    }
    man.render_options_section(&mut text).unwrap();
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text).unwrap();
    }
    man.render_extra_section(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// `Example: …`, as it opens the help, under a heading of its own and with its line ends.
fn example_section(text: &str) -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLE"]).control("nf", []);
    for line in text.trim_start_matches("Example: ").lines() {
        roff.text([roman(line.trim_start_matches("         "))]);
    }
    roff.control("fi", []).to_roff()
}
