// swift-tools-version: 6.2
import PackageDescription

/// Feeds every decoder of bytes from outside with what libFuzzer makes up; a package of its own, since all of it is built with
/// the fuzzer's instrumentation.
let package = Package(
    name: "pando-fuzzing",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "pando", path: ".."),
    ],
    targets: [
        .target(name: "CFuzzer"),
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "CFuzzer",
                .product(name: "FileDatabase", package: "pando"),
                .product(name: "PandoStorage", package: "pando"),
                .product(name: "PandoProtocol", package: "pando"),
            ],
            swiftSettings: [
                .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
            ],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]),
    ],
    swiftLanguageModes: [.v6]
)
