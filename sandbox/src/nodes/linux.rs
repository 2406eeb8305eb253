//! The system calls that Linux alone has. Elsewhere `requirements` has refused nodes before.

#[cfg(target_os = "linux")]
mod here {
    use std::ffi::{CStr, CString};
    use std::fs::File;
    use std::io;
    use std::os::fd::AsFd;
    use std::path::Path;

    use rustix::mount::{MountFlags, mount, mount_bind};
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

    /// From now on this thread's new sockets are in that network.
    pub(crate) fn enter_network(namespace: &File) -> io::Result<()> {
        Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
    }

    /// Lays an empty file system over a folder.
    pub(crate) fn mount_empty(over: &Path) -> io::Result<()> {
        let mode: &CStr = c"mode=755";
        Ok(mount("tmpfs", over, "tmpfs", MountFlags::empty(), mode)?)
    }

    /// Lays a file system over a folder that shows what is in it, and keeps what is written in the folder `changes`.
    pub(crate) fn mount_changes(over: &Path, changes: &Path) -> io::Result<()> {
        let (upper, work) = (changes.join("upper"), changes.join("work"));
        for folder in [&upper, &work] {
            std::fs::create_dir_all(folder)?;
        }
        let options =
            format!("lowerdir={},upperdir={},workdir={}", over.display(), upper.display(), work.display());
        let options = CString::new(options)?;
        Ok(mount("overlay", over, "overlay", MountFlags::empty(), options.as_c_str())?)
    }

    /// Lays a file over another one.
    pub(crate) fn mount_file(file: &Path, over: &Path) -> io::Result<()> {
        Ok(mount_bind(file, over)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod here {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(crate) fn enter_network(_namespace: &File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn mount_empty(_over: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn mount_changes(_over: &Path, _changes: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn mount_file(_file: &Path, _over: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(crate) use here::{enter_network, mount_changes, mount_empty, mount_file};
