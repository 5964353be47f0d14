/// Guesses the media type (RFC 9110, section 8.3) of a file from its name.
///
/// The content is never looked at: a guess must be the same wherever and however a file is written.
public enum MediaType {
    /// What is said of a file about which nothing is known.
    public static let unknown = "application/octet-stream"

    /// The type that the name's extension stands for, or `unknown`. Case does not matter.
    public static func guess(fromName name: String) -> String {
        let bytes = name.utf8
        guard let dot = bytes.lastIndex(of: UInt8(ascii: ".")) else { return wholeNames[name] ?? unknown }
        let start = bytes.index(after: dot)
        // No known extension is longer.
        guard bytes.distance(from: start, to: bytes.endIndex) <= 12 else { return unknown }
        var isLower = true
        for byte in bytes[start...] where byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") { isLower = false }
        let ending = String(name[start...])
        return types[isLower ? ending : ending.lowercased()] ?? unknown
    }

    private static let wholeNames = [
        "Makefile": "text/plain", "Dockerfile": "text/plain", "LICENSE": "text/plain", "README": "text/plain",
        "CHANGELOG": "text/plain", "AUTHORS": "text/plain",
    ]

    /// One line a type: the type and the extensions that mean it.
    private static let types: [String: String] = {
        var types: [String: String] = [:]
        for line in table.split(separator: "\n") {
            let words = line.split(separator: " ")
            for ending in words.dropFirst() { types[String(ending)] = String(words[0]) }
        }
        return types
    }()

    private static let table = """
        image/jpeg jpg jpeg jpe jfif
        image/png png
        image/apng apng
        image/gif gif
        image/webp webp
        image/avif avif
        image/heic heic
        image/heif heif
        image/jxl jxl
        image/jp2 jp2
        image/tiff tif tiff
        image/bmp bmp dib
        image/svg+xml svg svgz
        image/vnd.microsoft.icon ico
        image/vnd.adobe.photoshop psd psb
        image/vnd.radiance hdr
        image/x-exr exr
        image/x-tga tga
        image/x-adobe-dng dng
        image/x-canon-cr2 cr2
        image/x-canon-cr3 cr3
        image/x-nikon-nef nef
        image/x-sony-arw arw
        image/x-fuji-raf raf
        image/x-olympus-orf orf
        image/x-panasonic-rw2 rw2
        image/x-xcf xcf
        video/mp4 mp4 m4v
        video/quicktime mov qt
        video/x-matroska mkv
        video/webm webm
        video/x-msvideo avi
        video/mpeg mpg mpeg mpe
        video/mp2t mts m2ts
        video/x-ms-wmv wmv
        video/x-flv flv
        video/3gpp 3gp
        video/ogg ogv
        application/mxf mxf
        application/x-braw braw
        audio/mpeg mp3
        audio/mp4 m4a m4b
        audio/aac aac
        audio/flac flac
        audio/wav wav
        audio/aiff aif aiff aifc
        audio/ogg ogg oga opus
        audio/x-ms-wma wma
        audio/midi mid midi
        audio/webm weba
        application/pdf pdf
        application/postscript ps eps ai
        application/x-indesign indd
        application/epub+zip epub
        application/rtf rtf
        application/msword doc dot
        application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
        application/vnd.ms-excel xls xlt
        application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
        application/vnd.ms-powerpoint ppt pps
        application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
        application/vnd.oasis.opendocument.text odt
        application/vnd.oasis.opendocument.spreadsheet ods
        application/vnd.oasis.opendocument.presentation odp
        application/vnd.oasis.opendocument.graphics odg
        application/vnd.apple.pages pages
        application/vnd.apple.numbers numbers
        application/vnd.apple.keynote key
        text/plain txt text log conf cfg ini
        text/markdown md markdown
        text/html html htm
        text/css css
        text/csv csv
        text/tab-separated-values tsv
        text/calendar ics
        text/vcard vcf
        text/x-rst rst
        text/x-tex tex
        text/x-diff diff patch
        message/rfc822 eml
        text/javascript js mjs cjs
        text/x-typescript ts tsx
        text/x-swift swift
        text/x-python py pyw
        text/x-ruby rb
        text/x-perl pl pm
        text/x-go go
        text/x-rust rs
        text/x-java java
        text/x-kotlin kt kts
        text/x-scala scala
        text/x-c c h
        text/x-c++ cc cpp cxx hpp hh hxx
        text/x-objective-c m mm
        text/x-csharp cs
        text/x-php php
        text/x-lua lua
        text/x-haskell hs
        text/x-erlang erl
        text/x-elixir ex exs
        text/x-clojure clj
        text/x-sql sql
        text/x-cmake cmake
        text/x-vue vue
        text/x-svelte svelte
        application/x-sh sh bash zsh
        application/json json map
        application/geo+json geojson
        application/x-ndjson ndjson jsonl
        application/ld+json jsonld
        application/xml xml xsl xsd plist
        application/yaml yaml yml
        application/toml toml
        application/x-ipynb+json ipynb
        application/wasm wasm
        application/zip zip
        application/gzip gz tgz
        application/zstd zst
        application/x-bzip2 bz2
        application/x-xz xz
        application/x-tar tar
        application/x-7z-compressed 7z
        application/vnd.rar rar
        application/java-archive jar
        application/vnd.android.package-archive apk
        application/vnd.debian.binary-package deb
        application/x-rpm rpm
        application/x-iso9660-image iso
        application/x-apple-diskimage dmg
        application/x-sqlite3 sqlite sqlite3 db
        application/vnd.apache.parquet parquet
        application/vnd.apache.arrow.file arrow
        application/x-hdf5 h5 hdf5
        application/x-blender blend
        model/gltf+json gltf
        model/gltf-binary glb
        model/obj obj
        model/stl stl
        model/vnd.usdz+zip usdz
        model/vnd.usda usda
        font/ttf ttf
        font/otf otf
        font/woff woff
        font/woff2 woff2
        """
}
