import Foundation

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Names and addresses of machines.
enum Host {
    /// Whether nobody but this machine can connect to it.
    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" || host == "[::1]" { return true }
        // Not by its beginning alone: a name may begin like an address.
        var address = in_addr()
        return inet_pton(AF_INET, host, &address) == 1 && UInt32(bigEndian: address.s_addr) >> 24 == 127
    }

    /// Whether it stands for all addresses of this machine.
    static func isWildcard(_ host: String) -> Bool { ["0.0.0.0", "::", "[::]"].contains(host) }

    /// The names and addresses that a node's certificate is made for: where it listens, where it says it can be reached, and
    /// this machine.
    static func certificateHosts(listening host: String, address: String?) -> [String] {
        var hosts: Set<String> = ["localhost", "127.0.0.1", "::1"]
        if isWildcard(host) { hosts.formUnion(interfaceAddresses()) } else { hosts.insert(bare(host)) }
        if let named = address.flatMap({ URLComponents(string: $0)?.host }) { hosts.insert(bare(named)) }
        let machine = ProcessInfo.processInfo.hostName
        // Not every machine has a name that may stand in a certificate.
        if !machine.isEmpty, machine.utf8.count <= 253, machine.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) { hosts.insert(machine) }
        return hosts.sorted()
    }

    /// Without the brackets that an IPv6 address has in a URL.
    fileprivate static func bare(_ host: String) -> String {
        host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }

    /// The addresses of this machine's network interfaces.
    private static func interfaceAddresses() -> [String] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        var found: [String] = []
        var next = first
        while let interface = next?.pointee {
            next = interface.ifa_next
            guard let address = interface.ifa_addr else { continue }
            let family = Int32(address.pointee.sa_family)
            guard family == AF_INET || family == AF_INET6 else { continue }
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let length = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
            guard getnameinfo(address, socklen_t(length), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else { continue }
            let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            // Link-local ones are good with the interface's name alone, which no certificate holds.
            if !name.contains("%") { found.append(name) }
        }
        return found
    }
}

extension Host {
    /// Why nobody can listen at an address; nil where somebody could.
    static func faultOfListening(host: String, port: Int) -> String? {
        var hints = addrinfo()
        #if canImport(Glibc)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(bare(host), String(port), &hints, &found) == 0, let first = found else { return "the name is not known" }
        defer { freeaddrinfo(found) }
        let descriptor = socket(first.pointee.ai_family, first.pointee.ai_socktype, 0)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        defer { close(descriptor) }
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0, listen(descriptor, 1) == 0 else {
            return String(cString: strerror(errno)).lowercased()
        }
        return nil
    }
}
