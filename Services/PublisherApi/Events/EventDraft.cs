namespace AspireStreaming.PublisherApi.Events;

/// <summary>How an event carries its payload.</summary>
internal enum DataForm
{
    /// <summary>It has none.</summary>
    None,

    /// <summary>A JSON value in <c>data</c>.</summary>
    Json,

    /// <summary>A base64 string in <c>data_base64</c>, quotes included.</summary>
    Base64,
}

/// <summary>The checked attributes of one event, from whichever form it came in; the spans point into the request.</summary>
internal ref struct EventDraft
{
    public string? Id;
    public string? Source;
    public string? Type;

    /// <summary>A JSON string with its quotes; empty when absent.</summary>
    public ReadOnlySpan<byte> Subject;

    /// <inheritdoc cref="Subject"/>
    public ReadOnlySpan<byte> Time;

    /// <inheritdoc cref="Subject"/>
    public ReadOnlySpan<byte> DataContentType;

    public DataForm DataForm;

    /// <summary>Well-formed JSON, whitespace and all.</summary>
    public ReadOnlySpan<byte> Data;

    /// <summary>Whether the extension <c>critical</c> says so.</summary>
    public bool Critical;
}
