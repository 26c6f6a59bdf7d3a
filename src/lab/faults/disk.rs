//! A disk that can be full: a pod's directory on a tmpfs of its own, so that its servers get the kernel's ENOSPC.
use crate::{
    error::{Context, Error, Result},
    lab::node::Node,
};
use std::{
    ffi::CString,
    io::{ErrorKind, Write},
    path::Path,
};

const FILLER: &str = "filler";

/// Puts the pod's directory, which must be empty or not there yet, on a disk of this many MiB. The kernel lets only root
/// do that: an error elsewhere.
pub fn small(node: &Node, namespace: &str, pod: &str, size: u32) -> Result<()> {
    let dir = node.pod_dir(namespace, pod);
    let options = format!("size={size}m");
    system::mount(&text(&dir.to_string_lossy())?, &text(&options)?)
        .with_context(|| format!("cannot mount a disk for pod {namespace}/{pod}"))?;
    // Again: the mount's own root belongs to root.
    node.pod_dir(namespace, pod);
    Ok(())
}

/// Fills the disk of [`small`] to its last byte. A disk that others live on is left alone.
pub fn fill(node: &Node, namespace: &str, pod: &str) -> Result<()> {
    let dir = node.pod_dir(namespace, pod);
    if !mounts(&dir)?.iter().any(|mount| Path::new(mount) == dir) {
        return Err(Error::failed(format!("pod {namespace}/{pod} has no disk of its own to fill")));
    }
    let path = dir.join(FILLER);
    let what = || format!("cannot fill {}", path.display());
    let mut filler = std::fs::File::create(&path).with_context(what)?;
    for size in [1 << 20, 4096, 1] {
        let zeros = vec![0; size];
        loop {
            match filler.write_all(&zeros) {
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                written => written.with_context(what)?,
            }
        }
    }
    Ok(())
}

/// Mount points at or under a directory, the last one first.
fn mounts(dir: &Path) -> Result<Vec<String>> {
    let table = match std::fs::read_to_string("/proc/self/mounts") {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        table => table.context("cannot read the mounted disks")?,
    };
    let places = table.lines().rev().filter_map(|line| line.split(' ').nth(1));
    Ok(places.filter(|place| Path::new(place).starts_with(dir)).map(str::to_owned).collect())
}

/// Takes every disk under the directory away, whoever still uses it.
pub fn unmount(dir: &Path) -> Result<()> {
    for place in mounts(dir)? {
        system::unmount(&text(&place)?).with_context(|| format!("cannot unmount {place}"))?;
    }
    Ok(())
}

fn text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::bug("a path with a NUL"))
}

#[cfg(target_os = "linux")]
mod system {
    use std::{ffi::CStr, io};

    pub fn mount(place: &CStr, options: &CStr) -> io::Result<()> {
        let kind = c"tmpfs".as_ptr();
        // SAFETY: every pointer is of a NUL-terminated string that outlives the call.
        match unsafe { libc::mount(kind, place.as_ptr(), kind, 0, options.as_ptr().cast()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub fn unmount(place: &CStr) -> io::Result<()> {
        // SAFETY: the pointer is of a NUL-terminated string that outlives the call.
        match unsafe { libc::umount2(place.as_ptr(), libc::MNT_DETACH) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::{ffi::CStr, io};

    pub fn mount(_place: &CStr, _options: &CStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn unmount(_place: &CStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
