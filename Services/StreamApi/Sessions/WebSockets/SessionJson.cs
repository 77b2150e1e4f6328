using System.Buffers;
using System.Text;
using System.Text.Json;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sessions.WebSockets;

/// <summary>
/// The server's messages as JSON objects; a member <c>type</c> names each. Not thread-safe: the buffer is the session's own.
/// </summary>
internal sealed class SessionJson
{
    private static readonly JsonWriterOptions Options = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ArrayBufferWriter<byte> _buffer = new(256);

    /// <summary>The pong.</summary>
    public static ReadOnlySpan<byte> Pong => """{"type":"pong"}"""u8;

    /// <summary>What comes before an event of a subscription; <c>}</c> comes behind it.</summary>
    public static byte[] EventPrefix(string sub) => Encoding.UTF8.GetBytes(
        $"{{\"type\":\"event\",\"sub\":\"{JsonEncodedText.Encode(sub, Options.Encoder)}\",\"event\":");

    /// <summary>A subscription is open.</summary>
    public ReadOnlySpan<byte> Subscribed(SessionSubscription subscription, StreamPosition position) =>
        Write("subscribed", subscription.Sub, (subscription, position), static (json, state) =>
        {
            json.WriteString("position", state.position.ToString());
            json.WriteNumber("window", state.subscription.Window.Limit);
            json.WriteBoolean("adaptive", state.subscription.Window.IsAdaptive);
        });

    /// <summary>A control event.</summary>
    public ReadOnlySpan<byte> Control(string? sub, ControlEvent control) => Write("control", sub, control, static (json, state) =>
    {
        json.WriteString("name", state.Name);
        json.WritePropertyName("data");
        json.WriteRawValue(state.Json, skipInputValidation: true);
    });

    /// <summary>What a publish came to.</summary>
    public ReadOnlySpan<byte> Published(string sub, IReadOnlyList<PublishResult> results) => Write("published", sub, results, static (json, state) =>
    {
        json.WriteStartArray("results");
        foreach (var result in state)
        {
            json.WriteStartObject();
            json.WriteString("stream", result.Stream);
            json.WriteNumber("status", result.Status);
            if (result.Fault is { } fault)
            {
                json.WriteString("title", fault.Title);
                json.WriteString("detail", fault.Detail);
                json.WriteString("problem", fault.Type);
                WriteRest(json, fault);
            }
            else
            {
                json.WriteString("first", result.First);
                json.WriteString("last", result.Last);
                json.WriteNumber("accepted", result.Accepted);
                json.WriteNumber("duplicates", result.Duplicates);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    /// <summary>A fault.</summary>
    public ReadOnlySpan<byte> Error(string? sub, SessionFault fault, bool ended) => Write("error", sub, (fault, ended), static (json, state) =>
    {
        json.WriteNumber("status", state.fault.Status);
        json.WriteString("title", state.fault.Title);
        json.WriteString("detail", state.fault.Detail);
        json.WriteString("problem", state.fault.Type);
        WriteRest(json, state.fault);
        if (state.ended)
        {
            json.WriteBoolean("ended", true);
        }
    });

    private static void WriteRest(Utf8JsonWriter json, SessionFault fault)
    {
        if (fault.RetryAfterSeconds > 0)
        {
            json.WriteNumber("retryAfter", fault.RetryAfterSeconds);
        }

        if (fault.Current.Length > 0)
        {
            json.WriteString("current", fault.Current);
        }
    }

    private ReadOnlySpan<byte> Write<T>(string type, string? sub, T state, Action<Utf8JsonWriter, T> write)
    {
        _buffer.ResetWrittenCount();
        using var json = new Utf8JsonWriter(_buffer, Options);
        json.WriteStartObject();
        json.WriteString("type", type);
        if (sub is not null)
        {
            json.WriteString("sub", sub);
        }

        write(json, state);
        json.WriteEndObject();
        json.Flush();
        return _buffer.WrittenSpan;
    }
}
