//! The environment that an app is given: of a file, and of `-e`.

use std::path::Path;

use crate::exit::Failure;

/// The variables of `file` and those that were said, which go before the file's.
///
/// # Errors
/// When the file cannot be read, or has a line that sets nothing. The line is not shown: it may be a secret.
pub(crate) fn variables(
    file: Option<&Path>,
    said: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, Failure> {
    let mut variables = file.map(read).transpose()?.unwrap_or_default();
    variables.retain(|(name, _)| said.iter().all(|(other, _)| other != name));
    variables.extend(said);
    Ok(variables)
}

/// One of `-e`.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is not of the form K=V")?;
    if !is_sound(name, value) {
        return Err("its name is empty, or it contains a NUL".into());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Whether an environment can have it.
fn is_sound(name: &str, value: &str) -> bool {
    !name.is_empty() && !name.contains('\0') && !value.contains('\0')
}

fn read(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let at = path.display();
    let refuse = |error| match error {
        dotenvy::Error::Io(error) => Failure::input(format!("cannot read {at}: {error}")),
        _ => Failure::input(format!(
            "{at}: a line in it is not of the form K=V\nhint: quote values that have spaces in them"
        )),
    };
    let variables: Vec<_> =
        dotenvy::from_path_iter(path).map_err(refuse)?.collect::<Result<_, _>>().map_err(refuse)?;
    match variables.iter().find(|(name, value)| !is_sound(name, value)) {
        Some((name, _)) => Err(Failure::input(format!("{at}: {} contains a NUL", name.escape_default()))),
        None => Ok(variables),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn given(text: &str, said: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        fs::write(&path, text).unwrap();
        let said = said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        variables(Some(&path), said)
            .map_err(|error| error.to_string().replace(path.to_str().unwrap(), "FILE"))
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_file_is_read_as_dotenv_files_are() {
        let text = "# a comment\nA=1\nexport B='two words'\n\nC=\"x=y # z\"  # a comment\nD=\n";
        let expected = pairs(&[("A", "1"), ("B", "two words"), ("C", "x=y # z"), ("D", "")]);
        assert_eq!(given(text, &[]).unwrap(), expected);
    }

    #[test]
    fn what_is_said_goes_before_the_file() {
        assert_eq!(
            given("A=1\nB=2\n", &[("B", "3"), ("C", "4")]).unwrap(),
            pairs(&[("A", "1"), ("B", "3"), ("C", "4")])
        );
        assert_eq!(variables(None, pairs(&[("A", "1")])).unwrap(), pairs(&[("A", "1")]));
    }

    #[test]
    fn a_line_that_sets_nothing_is_refused_and_not_shown() {
        for text in ["A=1\nhunter2\n", "A=hunter2 'b\n", "A='hunter2\n", "=hunter2\n"] {
            let error = given(text, &[]).unwrap_err();
            assert!(error.starts_with("FILE: a line in it is not of the form K=V\nhint: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let missing = variables(Some(Path::new("/nowhere/.env")), Vec::new()).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read /nowhere/.env: "), "{missing}");
    }
}
