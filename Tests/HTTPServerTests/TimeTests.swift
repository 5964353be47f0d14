import Testing

@testable import HTTPServer

@Suite struct TimeTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (1_582_976_096_789_000_000, "2020-02-29T11:34:56.789Z"),
        (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
        (Int64.max, "2262-04-11T23:47:16.854Z"), (Int64.min, "1677-09-21T00:12:43.145Z"),
    ])
    func rfc3339(_ nanoseconds: Int64, _ text: String) {
        #expect(HTTPTime.rfc3339(nanoseconds) == text)
        #expect(HTTPTime.nanoseconds(rfc3339: HTTPTime.rfc3339(nanoseconds, digits: 9)) == nanoseconds)
    }

    @Test func offsetsAndFractions() {
        #expect(HTTPTime.nanoseconds(rfc3339: "1970-01-01T01:00:00+01:00") == 0)
        #expect(HTTPTime.nanoseconds(rfc3339: "1969-12-31t22:30:00.5-01:30") == 500_000_000)
        #expect(HTTPTime.nanoseconds(rfc3339: "1970-01-01 00:00:00.1234567899Z") == 123_456_789)
    }

    @Test(arguments: [
        "", "now", "2021-02-29T00:00:00Z", "2021-13-01T00:00:00Z", "2021-01-01T24:00:00Z", "2021-01-01T00:00:00", "2021-01-01T00:00:00.Z",
        "2021-01-01T00:00:00Zx", "9999-01-01T00:00:00Z", "2021-01-01T00:00:00+1:00", "21-01-01T00:00:00Z",
    ])
    func noTimes(_ text: String) {
        #expect(HTTPTime.nanoseconds(rfc3339: text) == nil)
    }

    @Test(arguments: [
        ("1677-09-21T00:12:43.145224192Z", nil), ("1677-09-21T00:12:43Z", "range"), ("0000-01-01T00:00:00Z", "range"), ("2262-04-11T23:47:17Z", "range"),
        ("9999-12-31T23:59:60Z", "range"), ("9999-13-01T00:00:00Z", "no time"), ("now", "no time"),
    ] as [(String, String?)])
    func faults(_ text: String, _ words: String?) {
        let fault = HTTPTime.fault(inRFC3339: text)
        #expect(words.map { fault?.contains($0) == true } ?? (fault == nil), "\(text): \(fault ?? "")")
    }

    @Test func datesOfHeaders() {
        #expect(HTTPTime.imfFixdate(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPTime.imfFixdate(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(HTTPTime.imfFixdate(-1) == "Wed, 31 Dec 1969 23:59:59 GMT")
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            #expect(HTTPTime.seconds(httpDate: text) == 784_111_777)
        }
        for text in ["", "Sun, 06 Nov 1994", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET", "a b c d e f g"] {
            #expect(HTTPTime.seconds(httpDate: text) == nil)
        }
    }
}
