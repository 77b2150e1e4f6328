using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace AspireStreaming.PublisherApi.Events;

/// <summary>JSON at the level of its bytes.</summary>
internal static class JsonText
{
    private static readonly SearchValues<byte> Notable = SearchValues.Create("\" \t\r\n"u8);
    private static readonly SearchValues<char> Plain = SearchValues.Create(
        " !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>Copies well-formed JSON without its insignificant whitespace; every token stays as written.</summary>
    public static void WriteCompact(ReadOnlySpan<byte> json, ArrayBufferWriter<byte> writer)
    {
        var target = writer.GetSpan(json.Length);
        var length = 0;
        while (!json.IsEmpty)
        {
            var plain = json.IndexOfAny(Notable);
            if (plain < 0)
            {
                plain = json.Length;
            }
            else if (json[plain] == '"')
            {
                plain = EndOfString(json, plain);
            }

            json[..plain].CopyTo(target[length..]);
            length += plain;
            json = json[plain..];
            var next = json.IndexOfAnyExcept(" \t\r\n"u8);
            json = next < 0 ? default : json[next..];
        }

        writer.Advance(length);
    }

    /// <summary>Writes text as a JSON string with its quotes.</summary>
    public static void WriteString(ReadOnlySpan<char> text, ArrayBufferWriter<byte> writer)
    {
        if (!text.ContainsAnyExcept(Plain))
        {
            var target = writer.GetSpan(text.Length + 2);
            target[0] = (byte)'"';
            Encoding.ASCII.GetBytes(text, target[1..]);
            target[text.Length + 1] = (byte)'"';
            writer.Advance(text.Length + 2);
            return;
        }

        writer.Write("\""u8);
        writer.Write(JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes);
        writer.Write("\""u8);
    }

    /// <summary>Text as a JSON string with its quotes.</summary>
    public static byte[] Quote(ReadOnlySpan<char> text)
    {
        var writer = new ArrayBufferWriter<byte>(text.Length + 2);
        WriteString(text, writer);
        return writer.WrittenSpan.ToArray();
    }

    /// <summary>Index after the closing quote of the string that opens at <paramref name="start"/>.</summary>
    private static int EndOfString(ReadOnlySpan<byte> json, int start)
    {
        var at = start + 1;
        while (true)
        {
            at += json[at..].IndexOfAny((byte)'"', (byte)'\\');
            if (json[at] == '"')
            {
                return at + 1;
            }

            at += 2;
        }
    }
}
