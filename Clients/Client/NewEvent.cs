using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Client;

/// <summary>An event to publish: a CloudEvent whose unset attributes get the service's defaults.</summary>
/// <param name="Type">
/// 1 to 200 characters, no control characters, not starting with <c>stream.</c>. <c>WORKFLOW_COMPLETED</c>, <c>WORKFLOW_FAILED</c>,
/// <c>WORKFLOW_CANCELLED</c> and <c>STREAM_END</c> end the stream.
/// </param>
public sealed record NewEvent(string Type)
{
    /// <summary>
    /// With <see cref="Source"/> the identity by which a repetition is known, for a day. Null: generated, once, so that this library's
    /// own retries append nothing twice. Give one that follows from what the event is about, and your retries don't either.
    /// </summary>
    public string? Id { get; init; }

    /// <summary>Null: <see cref="StreamingClientOptions.Source"/>.</summary>
    public string? Source { get; init; }

    /// <summary>What it is about within its source.</summary>
    public string? Subject { get; init; }

    /// <summary>When it happened; null: when the service took it.</summary>
    public DateTimeOffset? Time { get; init; }

    /// <summary>Media type of <see cref="Data"/>. Default <c>application/json</c>.</summary>
    public string DataContentType { get; init; } = MediaTypes.Json;

    /// <summary>The payload: JSON text for JSON media types, else anything. Null for none.</summary>
    public ReadOnlyMemory<byte>? Data { get; init; }

    /// <summary>Whether no policy of a subscriber may skip it.</summary>
    public bool Critical { get; init; }

    /// <summary>Extension attributes: at most 32, names <c>[a-z0-9]{1,20}</c>, values up to 1 KiB.</summary>
    public IReadOnlyDictionary<string, string>? Extensions { get; init; }

    /// <summary>An event with a value as JSON, written by reflection.</summary>
    public static NewEvent Json<T>(string type, T data, JsonSerializerOptions? options = null) =>
        new(type) { Data = JsonSerializer.SerializeToUtf8Bytes(data, options ?? JsonSerializerOptions.Web) };

    /// <summary>An event with a value as JSON, written by generated code.</summary>
    public static NewEvent Json<T>(string type, T data, JsonTypeInfo<T> typeInfo) =>
        new(type) { Data = JsonSerializer.SerializeToUtf8Bytes(data, typeInfo) };

    /// <summary>An event with text.</summary>
    public static NewEvent Text(string type, string text, string mediaType = "text/plain") =>
        new(type) { Data = System.Text.Encoding.UTF8.GetBytes(text), DataContentType = mediaType };

    /// <summary>An event with bytes.</summary>
    public static NewEvent Binary(string type, ReadOnlyMemory<byte> bytes, string mediaType = "application/octet-stream") =>
        new(type) { Data = bytes, DataContentType = mediaType };
}
