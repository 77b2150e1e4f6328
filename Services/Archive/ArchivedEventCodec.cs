using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using AspireStreaming.Streaming.Contracts;
using static AspireStreaming.Archive.JsonTokens;

namespace AspireStreaming.Archive;

/// <summary>
/// Takes stored frames apart into columns and puts them together again, byte for byte. What the columns cannot give back as it was
/// written goes into <c>attributes</c>: a JSON object with the tokens as written, in the order in which they stand in the frame.
/// A frame of an unexpected form is kept whole.
/// </summary>
/// <remarks>
/// Hot path. Only the head of an event is looked at; its payload, always last, is taken as bytes. An instance has scratch memory
/// and belongs to one thread at a time.
/// </remarks>
internal sealed class ArchivedEventCodec
{
    private readonly ArrayBufferWriter<byte> _attributes = new(1024);
    private readonly ArrayBufferWriter<byte> _json = new(1024);

    /// <summary>Text as the columns of a row with <see cref="ArchivedEvent.EscapedText"/> hold it.</summary>
    public static string Escape(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\0", "\\0", StringComparison.Ordinal);

    /// <summary>Takes a frame apart.</summary>
    public ArchivedEvent Split(EventFrame frame)
    {
        _attributes.ResetWrittenCount();
        var json = frame.Json.Span;
        var row = new ArchivedEvent { Type = frame.Type.Span, Flags = (short)frame.Flags };
        if (TrySplit(json, ref row))
        {
            return row;
        }

        row.Attributes = default;
        row.DataKind = ArchivedDataKind.Frame;
        row.Data = frame.Bytes.Span;
        if (!Utf8.IsValid(row.Id) || !Utf8.IsValid(row.Source) || !Utf8.IsValid(row.Type) || row.Id.Contains((byte)0)
            || row.Source.Contains((byte)0) || row.Type.Contains((byte)0))
        {
            row.Flags |= ArchivedEvent.EscapedText;
            row.Id = Encoding.UTF8.GetBytes(Escape(Encoding.UTF8.GetString(row.Id)));
            row.Source = Encoding.UTF8.GetBytes(Escape(Encoding.UTF8.GetString(row.Source)));
            row.Type = Encoding.UTF8.GetBytes(Escape(Encoding.UTF8.GetString(row.Type)));
        }

        return row;
    }

    /// <summary>Puts a frame together from its columns.</summary>
    /// <param name="row">As <see cref="Split"/> returned it.</param>
    public EventFrame Join(in ArchivedEvent row)
    {
        if (row.DataKind == ArchivedDataKind.Frame)
        {
            return EventFrame.Read(row.Data.ToArray());
        }

        var json = _json;
        json.ResetWrittenCount();
        var kept = row.Attributes;
        if (!kept.IsEmpty)
        {
            // Without the opening brace: a run of "name":token, each with its comma in front but the first.
            kept = kept[1..^1];
        }

        json.Write("\"specversion\":\"1.0\",\"id\":"u8);
        WriteText(json, "\"id\":"u8, ref kept, row.Id);
        json.Write(",\"source\":"u8);
        WriteText(json, "\"source\":"u8, ref kept, row.Source);
        json.Write(",\"type\":"u8);
        WriteText(json, "\"type\":"u8, ref kept, row.Type);
        if (TryTakeKept("\"subject\":"u8, ref kept, out var subject))
        {
            json.Write(",\"subject\":"u8);
            json.Write(subject);
        }

        json.Write(",\"time\":"u8);
        if (TryTakeKept("\"time\":"u8, ref kept, out var time))
        {
            json.Write(time);
        }
        else
        {
            var target = json.GetSpan(Rfc3339.Length + 2);
            target[0] = (byte)'"';
            var length = Rfc3339.Format(PostgresTime.ToUnixMilliseconds(row.Time ?? 0), target[1..]);
            target[length + 1] = (byte)'"';
            json.Advance(length + 2);
        }

        json.Write(",\"datacontenttype\":"u8);
        json.Write(TryTakeKept("\"datacontenttype\":"u8, ref kept, out var contentType) ? contentType : "\"application/json\""u8);
        if (!kept.IsEmpty)
        {
            json.Write(","u8);
            json.Write(kept);
        }

        switch (row.DataKind)
        {
            case ArchivedDataKind.Json:
                json.Write(",\"data\":"u8);
                json.Write(row.Data);
                json.Write("}"u8);
                break;
            case ArchivedDataKind.Base64:
                json.Write(",\"data_base64\":\""u8);
                json.Write(row.Data);
                json.Write("\"}"u8);
                break;
            default:
                json.Write("}"u8);
                break;
        }

        var type = Encoding.UTF8.GetString(row.Type);
        if ((row.Flags & ArchivedEvent.EscapedText) != 0)
        {
            type = Unescape(type);
        }

        return new EventFrame(EventFrame.Encode(type, (EventFlags)(byte)row.Flags, json.WrittenSpan));
    }

    private bool TrySplit(ReadOnlySpan<byte> json, ref ArchivedEvent row)
    {
        var at = 0;
        if (!Take(json, ref at, "\"specversion\":\"1.0\",\"id\":"u8) || !TakeString(json, ref at, out var id)
            || !Take(json, ref at, ",\"source\":"u8) || !TakeString(json, ref at, out var source)
            || !Take(json, ref at, ",\"type\":"u8) || !TakeString(json, ref at, out var type))
        {
            return false;
        }

        var frameType = row.Type;
        row.Id = id[1..^1];
        row.Source = source[1..^1];
        if (!IsPlain(id) || !IsPlain(source) || !IsPlain(type))
        {
            SplitOddText(id, source, type, ref row);
        }
        else if (!type[1..^1].SequenceEqual(frameType))
        {
            return false;
        }

        if (Take(json, ref at, ",\"subject\":"u8))
        {
            if (!TakeString(json, ref at, out var subject))
            {
                return false;
            }

            Keep("\"subject\":"u8, subject);
        }

        if (!Take(json, ref at, ",\"time\":"u8) || !TakeString(json, ref at, out var time))
        {
            return false;
        }

        if (!PostgresTime.TryReadCanonical(time, out row.Time))
        {
            Keep("\"time\":"u8, time);
            row.Time = PostgresTime.Read(time);
        }

        if (!Take(json, ref at, ",\"datacontenttype\":"u8) || !TakeString(json, ref at, out var contentType))
        {
            return false;
        }

        if (!contentType.SequenceEqual("\"application/json\""u8))
        {
            Keep("\"datacontenttype\":"u8, contentType);
        }

        return TakeExtensions(json, ref at) && TakeData(json, at, ref row) && KeptIsSound(json[..at], ref row);
    }

    private static bool TakeData(ReadOnlySpan<byte> json, int at, ref ArchivedEvent row)
    {
        var rest = json[at..];
        if (rest.SequenceEqual("}"u8))
        {
            row.DataKind = ArchivedDataKind.None;
            return true;
        }

        if (rest.StartsWith(",\"data\":"u8) && rest.Length > 9 && rest[^1] == '}')
        {
            row.DataKind = ArchivedDataKind.Json;
            row.Data = rest[8..^1];
            return true;
        }

        if (rest.StartsWith(",\"data_base64\":\""u8) && rest.Length >= 18 && rest.EndsWith("\"}"u8))
        {
            row.DataKind = ArchivedDataKind.Base64;
            row.Data = rest[16..^2];
            return true;
        }

        return false;
    }

    private bool TakeExtensions(ReadOnlySpan<byte> json, ref int at)
    {
        var start = at;
        while (!json[at..].StartsWith(",\"data\":"u8) && !json[at..].StartsWith(",\"data_base64\":"u8) && Take(json, ref at, ",\""u8))
        {
            var length = json[at..].IndexOf((byte)'"');
            if (length <= 0)
            {
                return false;
            }

            var name = json.Slice(at, length);
            if (name.ContainsAnyExceptInRange((byte)'0', (byte)'z') || IsCore(name))
            {
                return false;
            }

            at += length;
            if (!Take(json, ref at, "\":"u8) || !TakeToken(json, ref at))
            {
                return false;
            }
        }

        if (at > start)
        {
            var extensions = json[start..at];
            _attributes.Write(_attributes.WrittenCount == 0 ? "{"u8 : ","u8);
            _attributes.Write(extensions[1..]);
        }

        return true;
    }

    /// <summary>PostgreSQL must accept what is kept; a column of type json takes any valid JSON, escapes of U+0000 and lone surrogates included.</summary>
    private bool KeptIsSound(ReadOnlySpan<byte> head, ref ArchivedEvent row)
    {
        if (!Utf8.IsValid(head) || !Utf8.IsValid(row.Type))
        {
            return false;
        }

        if (_attributes.WrittenCount == 0)
        {
            return true;
        }

        _attributes.Write("}"u8);
        row.Attributes = _attributes.WrittenSpan;
        try
        {
            var reader = new Utf8JsonReader(row.Attributes);
            while (reader.Read())
            {
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>An id, source or type with escapes: the columns get the text, the tokens are kept.</summary>
    private void SplitOddText(ReadOnlySpan<byte> id, ReadOnlySpan<byte> source, ReadOnlySpan<byte> type, ref ArchivedEvent row)
    {
        Keep("\"id\":"u8, id);
        Keep("\"source\":"u8, source);
        Keep("\"type\":"u8, type);
        var idText = Unquote(id);
        var sourceText = Unquote(source);
        var typeText = Encoding.UTF8.GetString(row.Type);
        if (idText is null || sourceText is null || idText.Contains('\0', StringComparison.Ordinal)
            || sourceText.Contains('\0', StringComparison.Ordinal) || typeText.Contains('\0', StringComparison.Ordinal))
        {
            row.Flags |= ArchivedEvent.EscapedText;
            idText = Escape(idText ?? Encoding.UTF8.GetString(id[1..^1]));
            sourceText = Escape(sourceText ?? Encoding.UTF8.GetString(source[1..^1]));
            row.Type = Encoding.UTF8.GetBytes(Escape(typeText));
        }

        row.Id = Encoding.UTF8.GetBytes(idText);
        row.Source = Encoding.UTF8.GetBytes(sourceText);
    }

    private static string? Unquote(ReadOnlySpan<byte> token)
    {
        try
        {
            var reader = new Utf8JsonReader(token);
            reader.Read();
            return reader.GetString();
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // A lone surrogate, or no string at all.
            return null;
        }
    }

    private static string Unescape(string text)
    {
        var builder = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length; index++)
        {
            builder.Append(text[index] != '\\' ? text[index] : text[++index] == '0' ? '\0' : '\\');
        }

        return builder.ToString();
    }

    private void Keep(ReadOnlySpan<byte> name, ReadOnlySpan<byte> token)
    {
        _attributes.Write(_attributes.WrittenCount == 0 ? "{"u8 : ","u8);
        _attributes.Write(name);
        _attributes.Write(token);
    }

    private static void WriteText(ArrayBufferWriter<byte> json, ReadOnlySpan<byte> name, ref ReadOnlySpan<byte> kept, ReadOnlySpan<byte> column)
    {
        if (TryTakeKept(name, ref kept, out var token))
        {
            json.Write(token);
            return;
        }

        json.Write("\""u8);
        json.Write(column);
        json.Write("\""u8);
    }

    private static bool TryTakeKept(ReadOnlySpan<byte> name, ref ReadOnlySpan<byte> kept, out ReadOnlySpan<byte> token)
    {
        token = default;
        if (!kept.StartsWith(name))
        {
            return false;
        }

        var at = name.Length;
        if (!TakeString(kept, ref at, out token))
        {
            return false;
        }

        kept = at < kept.Length ? kept[(at + 1)..] : default;
        return true;
    }

    private static bool IsPlain(ReadOnlySpan<byte> token) => token.IndexOfAny((byte)'\\', (byte)0) < 0;

    private static bool IsCore(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("id"u8) || name.SequenceEqual("source"u8) || name.SequenceEqual("type"u8) || name.SequenceEqual("subject"u8)
        || name.SequenceEqual("time"u8) || name.SequenceEqual("datacontenttype"u8) || name.SequenceEqual("specversion"u8);
}
