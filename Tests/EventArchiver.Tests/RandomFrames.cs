using System.Globalization;
using System.Text;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.EventArchiver.Tests;

/// <summary>Frames of every form that the publisher can build, and of some that it cannot.</summary>
internal sealed class RandomFrames(int seed)
{
    private static readonly string[] Texts =
    [
        "a", "order-17", "/publisher", "urn:x:1", "a b", "ä", "日本", "😀", "{", "}", ",\"data\":", "a'b", "%00", "/", "",
    ];

    private static readonly string[] Escapes =
    [
        "\\\"", "\\\\", "\\n", "\\/", "\\u0000", "\\u00e4", "\\ud83d\\ude00", "\\ud800", "\\udc00x", "\\u001F", "\\t",
    ];

    private static readonly string[] Times =
    [
        "2026-01-31T23:59:59.999Z", "2026-01-31T23:59:59Z", "2026-01-31T23:59:59.9Z", "2026-01-31T23:59:59.999+00:00", "2026-01-31t23:59:59.123456789z",
        "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-12:00", "1969-12-31T23:59:59.999Z", "2024-02-29T12:00:00.000Z",
        "2023-02-29T12:00:00.000Z", "2026-01-31T23:59:60.000Z", "2026-01-31T24:00:00.000Z", "soon", "", "2026-13-01T00:00:00.000Z", "20a6-01-31T23:59:59.999Z",
        "2026-01-31T23:59:59.999\\u005A",
    ];

    private static readonly string[] Tokens =
    [
        "\"1\"", "1", "-0.5e+10", "12345678901234567890", "true", "false", "null", "\"a\\u0000b\"", "\"\\ud800\"", "\"x,\\\"data\\\":1\"", "\"\"",
    ];

    private static readonly string[] Payloads =
    [
        "1", "null", "\"x\"", "{}", "[]", "{\"a\":[1,2,{\"b\":null}],\"data\":1.0}", "1.0000000000000000001", "\"\\u0000\\ud800\"", "{\"b\":1,\"a\":2,\"b\":3}",
    ];

    private readonly Random _random = new(seed);

    public EventFrame Next() => _random.Next(12) == 0 ? Odd() : Regular();

    private EventFrame Regular()
    {
        var type = _random.Next(8) == 0 ? Text() : Pick("STEP", "WORKFLOW_COMPLETED", "ERROR_OCCURRED");
        var json = new StringBuilder();
        json.Append(CultureInfo.InvariantCulture, $"\"specversion\":\"1.0\",\"id\":\"{Text()}\",\"source\":\"{Text()}\",\"type\":\"{type}\"");
        if (_random.Next(3) == 0)
        {
            json.Append(CultureInfo.InvariantCulture, $",\"subject\":\"{Text()}\"");
        }

        json.Append(CultureInfo.InvariantCulture, $",\"time\":\"{(_random.Next(2) == 0 ? Times[0] : Pick(Times))}\"");
        json.Append(CultureInfo.InvariantCulture, $",\"datacontenttype\":\"{Pick("application/json", "application/json", "text/plain", "a/b; c=\\\"d\\\"")}\"");
        for (var extension = _random.Next(3) * _random.Next(4); extension > 0; extension--)
        {
            json.Append(CultureInfo.InvariantCulture, $",\"{Pick("traceparent", "x1", "0", "critical", "dat", "data1", "database64")}\":{Pick(Tokens)}");
        }

        json.Append(Payload()).Append('}');

        // The header has the type as text, the JSON as a token.
        return Encode(type.Contains('\\', StringComparison.Ordinal) ? System.Text.Json.JsonSerializer.Deserialize<string>($"\"{type.Replace("\\ud800", "", StringComparison.Ordinal).Replace("\\udc00", "", StringComparison.Ordinal)}\"")! : type, json.ToString());
    }

    /// <summary>What no publisher of ours builds: other orders, objects as extensions, names that are taken, text that is no UTF-8.</summary>
    private EventFrame Odd()
    {
        var json = Pick(
            "\"specversion\":\"1.0\",\"type\":\"T\",\"id\":\"1\",\"source\":\"/\"}",
            "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":\"T\"}",
            "\"specversion\":\"0.3\",\"id\":\"1\"}",
            "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":\"OTHER\",\"time\":\"2026-01-31T23:59:59.999Z\",\"datacontenttype\":\"application/json\"}",
            "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":\"T\",\"time\":\"2026-01-31T23:59:59.999Z\",\"datacontenttype\":\"application/json\",\"x\":{\"y\":1}}",
            "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":\"T\",\"time\":\"2026-01-31T23:59:59.999Z\",\"datacontenttype\":\"application/json\",\"time\":\"x\"}",
            "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":\"T\",\"time\":\"2026-01-31T23:59:59.999Z\",\"datacontenttype\":\"application/json\",\"x\":tru}",
            "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":\"T\",\"time\":1,\"datacontenttype\":\"application/json\"}",
            "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":\"T\",\"time\":\"2026-01-31T23:59:59.999Z\",\"datacontenttype\":\"application/json\",\"data\":",
            "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/\",\"type\":\"T\",\"time\":\"2026-01-31T23:59:59.999Z\",\"datacontenttype\":\"application/json\",\"data_base64\":\"AA}",
            "\"specversion\":\"1.0\",\"id\":\"1\0\",\"source\":\"/\",\"type\":\"T\"}",
            "\"specversion\":\"1.0\",\"id\":\"",
            "}",
            "");
        var bytes = Encoding.UTF8.GetBytes(json);
        if (_random.Next(4) == 0 && bytes.Length > 30)
        {
            bytes[_random.Next(bytes.Length)] = (byte)_random.Next(256);
        }

        return new EventFrame(EventFrame.Encode(Pick("T", "T\0", ""), (EventFlags)_random.Next(256), bytes));
    }

    private EventFrame Encode(string type, string json) => new(EventFrame.Encode(type, (EventFlags)_random.Next(4), Encoding.UTF8.GetBytes(json)));

    private string Text()
    {
        var text = Pick(Texts) + Pick(Texts).Replace("\"", "", StringComparison.Ordinal);
        text = text.Replace("\"", "\\\"", StringComparison.Ordinal);
        return _random.Next(5) == 0 ? text + Pick(Escapes) + Pick("", "z") : text;
    }

    private string Payload() => _random.Next(5) switch
    {
        0 => "",
        1 => $",\"data_base64\":\"{Convert.ToBase64String(Encoding.ASCII.GetBytes(new string('x', _random.Next(40))))}\"",
        2 => $",\"data\":\"{new string('y', _random.Next(5000))}\"",
        _ => $",\"data\":{Pick(Payloads)}",
    };

    private string Pick(params string[] from) => from[_random.Next(from.Length)];
}
