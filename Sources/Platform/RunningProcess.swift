#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Processes of this machine.
public enum RunningProcess {
    /// Whether a process is there, whoever's it is.
    public static func exists(_ pid: Int) -> Bool { kill(pid_t(clamping: pid), 0) == 0 || errno == EPERM }
}
