using System.Buffers;
using System.Text;
using System.Text.Json;

namespace AspireStreaming.Cli.Publish;

/// <summary>Makes an event of a line: the line's bytes are spliced in, never written anew.</summary>
internal sealed class EventEncoder
{
    private readonly PublishSettings _settings;
    private readonly EventIdentity _identity;
    private readonly byte[] _source;
    private string _type = "";
    private byte[] _encodedType = [];

    public EventEncoder(PublishSettings settings)
    {
        _settings = settings;
        _identity = new EventIdentity(settings.Stream, settings.FileName);
        _source = JsonEncodedText.Encode(_identity.Source).EncodedUtf8Bytes.ToArray();
    }

    /// <summary>Writes the event.</summary>
    /// <returns>Whether it ends its stream.</returns>
    /// <exception cref="CliException">The line cannot be an event.</exception>
    public bool Encode(ReadOnlySpan<byte> line, long lineNumber, ArrayBufferWriter<byte> writer)
    {
        try
        {
            return _settings.WholeEvents ? EncodeEvent(line, lineNumber, writer) : EncodeData(line, lineNumber, writer);
        }
        catch (JsonException exception)
        {
            // The reader counts its own lines, which would only confuse.
            var reason = exception.Message.Split(" LineNumber:")[0].TrimEnd('.');
            var place = exception.BytePositionInLine is { } position ? $" (byte {position + 1})" : "";
            throw new CliException(ExitCode.BadInput, $"{_settings.FileName}:{lineNumber}: not JSON: {reason}{place}.", exception);
        }
    }

    private bool EncodeData(ReadOnlySpan<byte> line, long lineNumber, ArrayBufferWriter<byte> writer)
    {
        JsonLine.Read(line, _settings.FixedType is null ? _settings.TypePath : null, out var named);
        var type = _settings.FixedType ?? (named is not null && EventType.IsValid(named) ? named : EventType.Default);
        if (type != _type)
        {
            _type = type;
            _encodedType = JsonEncodedText.Encode(type).EncodedUtf8Bytes.ToArray();
        }

        writer.Write("{\"id\":\""u8);
        WriteAscii(writer, _identity.IdOf(lineNumber, line));
        writer.Write("\",\"source\":\""u8);
        writer.Write(_source);
        writer.Write("\",\"type\":\""u8);
        writer.Write(_encodedType);
        writer.Write("\",\"data\":"u8);
        writer.Write(line);
        writer.Write("}"u8);
        return EventType.IsTerminal(type);
    }

    /// <summary>
    /// Passes on every member as it is written, but for those that a stream gave the event when it was delivered: so what
    /// <c>tail --json</c> wrote can be published again.
    /// </summary>
    private bool EncodeEvent(ReadOnlySpan<byte> line, long lineNumber, ArrayBufferWriter<byte> writer)
    {
        JsonLine.Read(line, null, out _);
        var reader = JsonLine.Open(line);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new CliException(
                ExitCode.BadInput, $"{_settings.FileName}:{lineNumber}: not an event: --events wants an object on each line.");
        }

        var hasId = false;
        string? type = null;
        writer.Write("{"u8);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var start = (int)reader.TokenStartIndex;
            var delivered = reader.ValueTextEquals("stream"u8) || reader.ValueTextEquals("position"u8)
                || reader.ValueTextEquals("sequence"u8) || reader.ValueTextEquals("recordedtime"u8)
                || reader.ValueTextEquals("firstposition"u8);
            var isType = reader.ValueTextEquals("type"u8);
            hasId |= reader.ValueTextEquals("id"u8);
            reader.Read();
            if (isType)
            {
                type = JsonLine.StringOrNull(ref reader);
            }

            reader.Skip();
            if (!delivered)
            {
                WriteMember(writer, line[start..(int)reader.BytesConsumed]);
            }
        }

        if (!hasId)
        {
            WriteMember(writer, Encoding.ASCII.GetBytes($"\"id\":\"{_identity.IdOf(lineNumber, line)}\""));
        }

        writer.Write("}"u8);
        return type is not null && EventType.IsValid(type)
            ? EventType.IsTerminal(type)
            : throw new CliException(ExitCode.BadInput, $"{_settings.FileName}:{lineNumber}: not an event: {EventType.Rule}.");
    }

    private static void WriteMember(ArrayBufferWriter<byte> writer, ReadOnlySpan<byte> member)
    {
        if (writer.WrittenCount > 1)
        {
            writer.Write(","u8);
        }

        writer.Write(member);
    }

    private static void WriteAscii(ArrayBufferWriter<byte> writer, string text) =>
        writer.Advance(Encoding.ASCII.GetBytes(text, writer.GetSpan(text.Length)));
}
