//! A command line, said again with some values replaced.

use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use sluice_core::Result;

/// The words that say what `matches` says: each given value as `replace` answers for command, argument and value.
pub(super) fn said_again(
    command: &Command,
    matches: &ArgMatches,
    replace: &mut impl FnMut(&str, &Arg, &OsStr) -> Result<OsString>,
) -> Result<Vec<OsString>> {
    let mut words = vec![OsString::from(command.get_name())];
    let (mut owner, mut of_owner, mut path) = (command, matches, String::new());
    while let Some((name, inner)) = of_owner.subcommand() {
        let Some(task) = owner.find_subcommand(name) else { break };
        words.push(name.into());
        path = format!("{path} {name}").trim_start().to_owned();
        (owner, of_owner) = (task, inner);
    }
    let mut positionals: Vec<(usize, OsString)> = Vec::new();
    for argument in owner.get_arguments() {
        let id = argument.get_id().as_str();
        let is_given = of_owner.try_contains_id(id).unwrap_or(false)
            && of_owner.value_source(id) == Some(ValueSource::CommandLine);
        if !is_given {
            continue;
        }
        if !argument.get_action().takes_values() {
            words.extend(argument.get_long().map(|long| OsString::from(format!("--{long}"))));
            continue;
        }
        for value in of_owner.get_raw(id).into_iter().flatten() {
            let value = replace(&path, argument, value)?;
            match argument.get_long() {
                Some(long) => {
                    let mut word = OsString::from(format!("--{long}="));
                    word.push(value);
                    words.push(word);
                }
                None => positionals.push((argument.get_index().unwrap_or_default(), value)),
            }
        }
    }
    // Of one argument they keep their order.
    positionals.sort_by_key(|(index, _)| *index);
    words.push("--".into());
    words.extend(positionals.into_iter().map(|(_, value)| value));
    Ok(words)
}
