namespace AspireStreaming.Client.Following;

/// <summary>What a subscription asks for.</summary>
/// <param name="Streams">The streams in the caller's order.</param>
/// <param name="Options">How they are followed.</param>
/// <param name="IsMultiple">Whether it was asked for as a subscription to several streams, be it of one.</param>
internal sealed record FollowRequest(IReadOnlyList<StreamStart> Streams, SubscribeOptions Options, bool IsMultiple)
{
    /// <summary>The only stream; empty when there may be several.</summary>
    public string Stream => IsMultiple ? "" : Streams[0].Stream;

    public string? Policy => Options.Policy switch
    {
        DeliveryPolicy.Drop => "drop",
        DeliveryPolicy.Disconnect => "disconnect",
        _ => null,
    };

    public bool IsFiltered => Options.Types.Count > 0;

    public static FollowRequest Of(string stream, SubscribeOptions? options)
    {
        StreamName.ThrowIfInvalid(stream);
        return Checked(new FollowRequest([new StreamStart(stream)], options ?? new SubscribeOptions(), IsMultiple: false));
    }

    public static FollowRequest Of(IReadOnlyList<StreamStart> streams, SubscribeOptions? options)
    {
        const int MaxStreams = 50;
        ArgumentNullException.ThrowIfNull(streams);
        ArgumentOutOfRangeException.ThrowIfZero(streams.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(streams.Count, MaxStreams);
        foreach (var stream in streams)
        {
            StreamName.ThrowIfInvalid(stream.Stream);
        }

        options ??= new SubscribeOptions();
        return options.Transport == StreamTransport.ServerSentEvents
            ? Checked(new FollowRequest(streams, options, IsMultiple: true))
            : throw new ArgumentException("Several streams on one connection come as server-sent events only.", nameof(options));
    }

    private static FollowRequest Checked(FollowRequest request)
    {
        var options = request.Options;
        if ((options.Cursor is not null || options.Window is not null) && options.Transport != StreamTransport.WebSocket)
        {
            throw new ArgumentException("A durable cursor and a window need the WebSocket transport.", nameof(request));
        }

        return options.Types.Any(static type => type.Contains(','))
            ? throw new ArgumentException("A type with a comma cannot be asked for.", nameof(request))
            : request;
    }
}
