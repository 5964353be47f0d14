#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The whole terminal, for a picture that is drawn again and again. What was there before comes back at the end.
struct Screen {
    /// Begins with an empty screen of its own.
    init() {
        Output.write(Array("\u{1b}[?1049h\u{1b}[?25l\u{1b}[H\u{1b}[2J".utf8))
    }

    /// Draws over what is there, in one write, so that nothing flickers. What does not fit is cut off.
    func draw(_ lines: [String]) {
        let size = Screen.size
        var text = "\u{1b}[H"
        for (index, line) in lines.prefix(size.rows).enumerated() {
            text += (index == 0 ? "" : "\r\n") + line.prefix(size.columns) + "\u{1b}[K"
        }
        Output.write(Array((text + "\u{1b}[J").utf8))
    }

    func end() {
        Output.write(Array("\u{1b}[?25h\u{1b}[?1049l".utf8))
    }

    private static var size: (rows: Int, columns: Int) {
        var window = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &window) == 0, window.ws_row > 0, window.ws_col > 0 else { return (24, 80) }
        return (Int(window.ws_row), Int(window.ws_col))
    }
}
