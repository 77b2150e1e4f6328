using System.Buffers;
using System.Text;
using System.Text.Json;
using AspireStreaming.Cli.Publish;

namespace AspireStreaming.Cli.Tests.Publish;

public sealed class EventEncoderTests
{
    private static readonly PublishSettings Settings = new() { Stream = "s", FileName = "file.jsonl" };

    [Fact]
    public void Encode_is_pinned_because_ids_must_never_change()
    {
        Assert.Equal(
            """{"id":"3-da2b86973246bf4ff2ffa6528c9fe31e","source":"/aspirestream/file.jsonl","type":"chunk","data":{"a":1}}""",
            Encode("""{"a":1}""", lineNumber: 3));
    }

    [Fact]
    public void IdOf_depends_on_stream_file_line_and_content()
    {
        var ids = new[]
        {
            new EventIdentity("s", "f").IdOf(1, "x"u8),
            new EventIdentity("t", "f").IdOf(1, "x"u8),
            new EventIdentity("s", "g").IdOf(1, "x"u8),
            new EventIdentity("s", "f").IdOf(2, "x"u8),
            new EventIdentity("s", "f").IdOf(1, "y"u8),
        };

        Assert.Equal(5, ids.Distinct().Count());
        Assert.Equal(ids[0], new EventIdentity("s", "f").IdOf(1, "x"u8));
    }

    [Theory]
    [InlineData("my file (1).jsonl", "/aspirestream/my%20file%20%281%29.jsonl")]
    [InlineData("stdin", "/aspirestream/stdin")]
    public void Source_is_a_reference_to_the_file(string file, string expected) => Assert.Equal(expected, new EventIdentity("s", file).Source);

    [Fact]
    public void Source_of_a_long_name_fits()
    {
        var source = new EventIdentity("s", new string('é', 120)).Source;

        Assert.InRange(source.Length, 1, 256);
        Assert.NotEqual(source, new EventIdentity("s", new string('é', 121)).Source);
    }

    [Theory]
    [InlineData("""{"n":123456789012345678901234567890,"e":1e400,"f":1.10,"s":"\u00e9\/\ud83d","dup":1,"dup":2}""")]
    [InlineData("""{ "spaces" :	[ 1 , 2 ] }""")]
    [InlineData("42")]
    [InlineData("\"text\"")]
    [InlineData("null")]
    public void Encode_splices_the_line_byte_for_byte(string line) =>
        Assert.EndsWith(",\"type\":\"chunk\",\"data\":" + line + "}", Encode(line), StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"type":"message_start"}""", "message_start")]
    [InlineData("""{"a":{"type":"inner"},"type":"outer"}""", "outer")]
    [InlineData("""{"a":{"type":"inner"}}""", "chunk")]
    [InlineData("""[{"type":"inner"}]""", "chunk")]
    [InlineData("""{"type":5}""", "chunk")]
    [InlineData("""{"type":""}""", "chunk")]
    [InlineData("""{"type":"stream.gap"}""", "chunk")]
    [InlineData("""{"type":"a\u0001b"}""", "chunk")]
    [InlineData("""{"type":"\ud800"}""", "chunk")]
    [InlineData("""{"\u0074ype":"escaped"}""", "escaped")]
    [InlineData("""{"type":"quote\"d"}""", "quote\"d")]
    public void Encode_takes_the_type_from_the_line(string line, string expected) => Assert.Equal(expected, TypeOf(Encode(line)));

    [Fact]
    public void Encode_type_of_200_characters_is_the_longest()
    {
        Assert.Equal(new string('t', 200), TypeOf(Encode($$"""{"type":"{{new string('t', 200)}}"}""")));
        Assert.Equal("chunk", TypeOf(Encode($$"""{"type":"{{new string('t', 201)}}"}""")));
    }

    [Theory]
    [InlineData("""{"event":{"kind":"k"},"kind":"no"}""", "k")]
    [InlineData("""{"event":{"other":{"kind":"no"}}}""", "chunk")]
    [InlineData("""{"event":[{"kind":"no"}]}""", "chunk")]
    [InlineData("""{"event":1,"event":{"x":{},"kind":"k"}}""", "k")]
    [InlineData("""{"x":{"event":{"kind":"no"}}}""", "chunk")]
    [InlineData("""{"event":{},"kind":"no"}""", "chunk")]
    public void Encode_type_from_follows_dots(string line, string expected) =>
        Assert.Equal(expected, TypeOf(Encode(line, Settings with { TypePath = ["event", "kind"] })));

    [Fact]
    public void Encode_fixed_type_wins() =>
        Assert.Equal("forced", TypeOf(Encode("""{"type":"own"}""", Settings with { FixedType = "forced" })));

    [Theory]
    [InlineData("WORKFLOW_COMPLETED", true)]
    [InlineData("STREAM_END", true)]
    [InlineData("chunk", false)]
    public void Encode_tells_terminal_events(string type, bool expected)
    {
        var line = Encoding.UTF8.GetBytes($$"""{"type":"{{type}}"}""");

        Assert.Equal(expected, new EventEncoder(Settings).Encode(line, 1, new ArrayBufferWriter<byte>()));
        Assert.Equal(expected, new EventEncoder(Settings with { WholeEvents = true }).Encode(line, 1, new ArrayBufferWriter<byte>()));
    }

    [Theory]
    [InlineData("[DONE]")]
    [InlineData("{")]
    [InlineData("""{"a":1} {"b":2}""")]
    [InlineData("""{"a":1,}""")]
    public void Encode_line_that_is_not_json_names_it(string line)
    {
        var fault = Assert.Throws<CliException>(() => Encode(line, lineNumber: 7));

        Assert.Equal(ExitCode.BadInput, fault.ExitCode);
        Assert.StartsWith("file.jsonl:7: not JSON: ", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Encode_invalid_utf8_is_refused()
    {
        var fault = Assert.Throws<CliException>(() =>
            new EventEncoder(Settings).Encode([(byte)'"', 0xC3, (byte)'"'], 1, new ArrayBufferWriter<byte>()));

        Assert.Contains("UTF-8", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"type":"t","id":"kept","data":{"n":1.0}}""", """{"type":"t","id":"kept","data":{"n":1.0}}""")]
    [InlineData("""{ "id" : "kept" , "type" : "t" }""", """{"id" : "kept","type" : "t"}""")]
    [InlineData(
        """{"stream":"s","position":"1-1","sequence":1,"recordedtime":"x","id":"kept","type":"t","firstposition":"1-1","data":{"position":5}}""",
        """{"id":"kept","type":"t","data":{"position":5}}""")]
    public void Encode_whole_event_keeps_its_members(string line, string expected) =>
        Assert.Equal(expected, Encode(line, Settings with { WholeEvents = true }));

    [Fact]
    public void Encode_whole_event_without_id_gets_a_derived_one()
    {
        const string Line = """{"type":"t"}""";
        var id = new EventIdentity("s", "file.jsonl").IdOf(4, Encoding.UTF8.GetBytes(Line));

        Assert.Equal($$"""{"type":"t","id":"{{id}}"}""", Encode(Line, Settings with { WholeEvents = true }, lineNumber: 4));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"type":"stream.end"}""")]
    public void Encode_whole_event_that_is_none_is_refused(string line) =>
        Assert.Contains("not an event", Assert.Throws<CliException>(() => Encode(line, Settings with { WholeEvents = true })).Message, StringComparison.Ordinal);

    private static string Encode(string line, PublishSettings? settings = null, long lineNumber = 1)
    {
        var writer = new ArrayBufferWriter<byte>();
        new EventEncoder(settings ?? Settings).Encode(Encoding.UTF8.GetBytes(line), lineNumber, writer);
        return Encoding.UTF8.GetString(writer.WrittenSpan);
    }

    private static string? TypeOf(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.GetProperty("type").GetString();
    }
}
