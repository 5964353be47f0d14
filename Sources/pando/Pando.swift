import ArgumentParser
import HTTPServer
import Hummingbird
import AsyncHTTPClient
import JWTKit
@main struct Pando: AsyncParsableCommand {
    mutating func run() async throws {}
}
