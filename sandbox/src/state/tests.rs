use std::os::unix::fs::PermissionsExt;

use super::*;

/// A path of its own, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sandbox-state-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        Self(path)
    }

    fn directory(&self) -> Directory {
        Directory::new(&self.0).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_directory_of_others_is_refused_and_stays_as_it_is() {
    let place = Place::new("foreign");
    fs::create_dir(&place.0).unwrap();
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place.0.join("thesis.txt"), "years of work").unwrap();
    // Many programs have a file of this name.
    fs::write(place.0.join("lock"), "").unwrap();
    let refused = place.directory().lock().unwrap_err().to_string();
    assert!(refused.ends_with("is not a sandbox's directory: choose an empty or a new one"), "{refused}");
    assert_eq!(fs::read_to_string(place.0.join("thesis.txt")).unwrap(), "years of work");
    assert_eq!(fs::metadata(&place.0).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn a_new_an_empty_and_an_earlier_directory_are_taken() {
    let place = Place::new("taken");
    let directory = place.directory();
    assert!(directory.lock().unwrap().is_some(), "a new one");
    fs::write(place.0.join("state.json"), "{}").unwrap();
    assert!(directory.lock().unwrap().is_some(), "one of an earlier run");
    fs::remove_dir_all(&place.0).unwrap();
    fs::create_dir(&place.0).unwrap();
    assert!(directory.lock().unwrap().is_some(), "an empty one");
}

#[test]
fn a_lock_notices_that_its_directory_was_replaced() {
    let place = Place::new("replaced");
    let first = place.directory().lock().unwrap().unwrap();
    assert!(first.holds());
    fs::remove_dir_all(&place.0).unwrap();
    assert!(!first.holds());
    let second = place.directory().lock().unwrap().unwrap();
    assert!(second.holds() && !first.holds());
}

#[test]
fn the_process_id_is_there_while_the_lock_is_held() {
    let place = Place::new("pid");
    let directory = place.directory();
    let lock = directory.lock().unwrap().unwrap();
    assert_eq!(directory.supervisor().unwrap(), Some(std::process::id()));
    drop(lock);
    assert_eq!(directory.supervisor().unwrap(), None);
    assert_eq!(fs::read_to_string(place.0.join(LOCK)).unwrap(), "");
}

#[test]
fn a_look_at_the_lock_does_not_keep_a_supervisor_from_starting() {
    let place = Place::new("look");
    let directory = place.directory();
    directory.claim().unwrap();
    let looking = directory.lock_file(false).unwrap();
    looking.try_lock_shared().unwrap();
    let looks = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(looking);
    });
    assert!(directory.lock().unwrap().is_some());
    looks.join().unwrap();
}

#[test]
fn a_second_supervisor_gives_way() {
    let place = Place::new("second");
    let _first = place.directory().lock().unwrap().unwrap();
    assert!(place.directory().lock().unwrap().is_none());
}
