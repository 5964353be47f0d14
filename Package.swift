// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// The program reads file systems through C's structures, whose fields count as CoreFoundation's or Glibc's by chance.
let loose: [SwiftSetting] = [.treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny")]

/// The hot loops of the chunker and the decoders index arrays whose bounds they have checked themselves.
let hot: [SwiftSetting] = strict

func module(_ name: String, _ dependencies: [Target.Dependency], settings: [SwiftSetting] = strict) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(of name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: "\(name)Tests", dependencies: dependencies, swiftSettings: strict)
}

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")

let package = Package(
    name: "pando",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "pando", targets: ["pando"]),
        .executable(name: "simulate", targets: ["simulate"]),
        .library(name: "FileDatabase", targets: ["FileDatabase"]),
        // What FileDatabase stands on, for programs that use it directly.
        .library(name: "PandoStorage", targets: ["Content", "Causality", "Merkle", "Platform", "Objects"]),
        .library(name: "PandoNode", targets: ["Node", "Access"]),
        // What nodes say to each other, without I/O.
        .library(name: "PandoProtocol", targets: ["Content", "Causality", "Merkle", "Access", "Replication"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.30.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"]), .brew(["lmdb"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
        .systemLibrary(name: "CLinux"),
        // The web console's files, in the program itself: `#embed` (C23) costs no time, which Swift's array literals do.
        .target(name: "CConsole", exclude: ["web"]),

        // Two hashes side by side, by instructions that Swift has no words for.
        .target(name: "CSHA256"),
        module("Content", ["CSHA256", crypto], settings: hot),
        module("Causality", ["Content"]),
        module("Merkle", ["Content", "Causality"], settings: hot),
        module("Access", ["Content", "Merkle", crypto]),
        module("Replication", ["Content", "Merkle", "Causality", "Access"]),
        module("Platform", ["Content", "CLinux"], settings: loose),
        module("Objects", ["Content", "Platform", "CLMDB", "CZstd"], settings: hot),
        module("FileDatabase", ["Content", "Objects", "Merkle", "Causality", "Access", "Platform"]),
        module("Node", [
            "Content", "FileDatabase", "Merkle", "Causality", "Access", "Objects", "Replication", "Platform",
            logging, .product(name: "JWTKit", package: "jwt-kit"), crypto,
        ]),
        module("FolderSync", ["Content", "Causality", "Merkle", "Access", "Platform", "Objects", "FileDatabase", "Replication", "Node"]),
        module("HTTPServer", [
            "CConsole",
            "Content", "Merkle", "Causality", "Access", "FileDatabase", "Replication", "Objects", "Platform", "Node", logging, lifecycle, nio,
            .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "HummingbirdCore", package: "hummingbird"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
            .product(name: "X509", package: "swift-certificates"),
            .product(name: "SwiftASN1", package: "swift-asn1"), crypto,
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        ]),
        module("HTTPClient", [
            "Content", "Merkle", "Causality", "Access", "Replication", "Platform", "FileDatabase", "Node", logging, nio,
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
            .product(name: "AsyncHTTPClient", package: "async-http-client"),
        ]),
        .executableTarget(name: "pando", dependencies: [
            "Content", "Causality", "Merkle", "Access", "Replication", "Platform", "Objects", "FileDatabase", "Node", "HTTPServer",
            "HTTPClient", "FolderSync", logging, lifecycle,
            .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            .product(name: "Yams", package: "Yams"),
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ], swiftSettings: loose),

        .target(name: "CExecutorHook"),
        module("Simulation", [
            "Content", "Causality", "Merkle", "Access", "FileDatabase", "Objects", "Platform", "Node", "HTTPServer", "CExecutorHook", logging,
            crypto, .product(name: "NIOEmbedded", package: "swift-nio"),
        ]),
        .executableTarget(
            name: "simulate", dependencies: ["Simulation", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: strict),

        .target(name: "TestSupport", dependencies: ["Content", "Causality", "Merkle", "Platform", "Simulation"], path: "Tests/TestSupport", swiftSettings: strict),
        tests(of: "Content", ["Content", "TestSupport"]),
        tests(of: "Causality", ["Content", "Causality", "TestSupport"]),
        tests(of: "Merkle", ["Content", "Causality", "Merkle", "TestSupport"]),
        tests(of: "HTTPClient", [
            "Content", "Access", "Platform", "HTTPClient", "HTTPServer", nio, .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
        tests(of: "HTTPServer", [
            "Content", "Causality", "Merkle", "FileDatabase", "Node", "Platform", "HTTPServer", "TestSupport", nio, logging, .product(name: "NIOSSL", package: "swift-nio-ssl"), .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
        ]),
        // Rules on every route and on replication; whole nodes in one process.
        tests(of: "Scope", [
            "Content", "Causality", "Merkle", "Access", "Replication", "Platform", "Objects", "FileDatabase", "Node", "HTTPServer", "TestSupport",
            logging, nio, .product(name: "NIOEmbedded", package: "swift-nio"), .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
        ]),
        tests(of: "Objects", ["Content", "Platform", "Objects", "CZstd", "TestSupport"]),
        tests(of: "Replication", ["Content", "Causality", "Merkle", "Replication", "TestSupport"]),
        tests(of: "FileDatabase", ["Content", "Causality", "Merkle", "Objects", "Platform", "FileDatabase", "TestSupport"]),
        tests(of: "Node", ["Content", "Causality", "Merkle", "FileDatabase", "Node", "Platform", "TestSupport"]),
        tests(of: "FolderSync", [
            "Content", "Causality", "Merkle", "Platform", "Objects", "FileDatabase", "Node", "FolderSync", "TestSupport", logging,
        ]),
        tests(of: "Tidy", []),
        // Runs the program that is built with it.
        .testTarget(name: "SimulationTests", dependencies: ["simulate", "Simulation", "Content", "Causality"], swiftSettings: strict),
        // Runs the program that is built with it.
        tests(of: "EndToEnd", ["pando", "Content", "Platform", crypto]),
    ],
    swiftLanguageModes: [.v6]
)
