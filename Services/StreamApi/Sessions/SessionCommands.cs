using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>Checks the members of a client's messages, for both transports.</summary>
internal sealed class SessionCommands(SessionOptions options)
{
    /// <summary>Longest <c>sub</c>, UTF-16 characters.</summary>
    public const int MaxSubLength = 100;

    /// <summary>Largest message.</summary>
    public int MaxFrameBytes => options.MaxFrameBytes;

    /// <summary>Subscribe.</summary>
    public SessionCommand Subscribe(
        string? sub,
        string? stream,
        string? from,
        IReadOnlyCollection<string>? types,
        string? policy,
        long? lag,
        long? window,
        string? cursor)
    {
        if (CheckSub(sub) is { } bad)
        {
            return bad;
        }

        if (stream is null || !StreamName.IsValid(stream))
        {
            return Refuse(sub, "stream", StreamName.Rule + ".");
        }

        var start = default(StartFrom);
        var isFromGiven = !string.IsNullOrEmpty(from);
        if (isFromGiven && !StartFrom.TryParse(from!, out start))
        {
            return Refuse(sub, "from", $"It is {StartFrom.Rule}.");
        }

        TypeFilter? filter = null;
        if (types is { Count: > 0 } && !TypeFilter.TryCreate(types, out filter))
        {
            return Refuse(sub, "types", $"There are 1 to {TypeFilter.MaxTypes} of them.");
        }

        if (!SubscriptionRequest.TryParsePolicy(policy, out var lagPolicy))
        {
            return Refuse(sub, "policy", "It is 'catch-up', 'drop' or 'disconnect'.");
        }

        if (lag is < 0 or > SubscriptionRequest.MaxLag)
        {
            return Refuse(
                sub, "lag", $"It is a number from 1 to {SubscriptionRequest.MaxLag}, or 0 for {SubscriptionRequest.DefaultLag}.");
        }

        if (window is < 0 || window > options.MaxFixedWindow)
        {
            return Refuse(sub, "window", $"It is a number from 1 to {options.MaxFixedWindow}, or 0 for no acknowledgements.");
        }

        if (!string.IsNullOrEmpty(cursor) && !StreamName.IsValid(cursor))
        {
            return Refuse(sub, "cursor", "A cursor's name follows the rule of a stream's: " + StreamName.Rule + ".");
        }

        var behind = lag is null or 0 ? SubscriptionRequest.DefaultLag : lag.Value;
        return new SubscribeCommand(
            sub!,
            new SubscriptionRequest(stream, start, filter, lagPolicy, behind),
            isFromGiven,
            (int?)window,
            string.IsNullOrEmpty(cursor) ? null : cursor);
    }

    /// <summary>Acknowledge.</summary>
    public static SessionCommand Acknowledge(string? sub, string? position)
    {
        if (CheckSub(sub) is { } bad)
        {
            return bad;
        }

        return StreamPosition.TryParse(position, out var parsed)
            ? new AckCommand(sub!, parsed)
            : Refuse(sub, "position", "It is a position such as 1700000000000-42.");
    }

    /// <summary>Unsubscribe.</summary>
    public static SessionCommand Unsubscribe(string? sub) => CheckSub(sub) is { } bad ? bad : new UnsubscribeCommand(sub!);

    /// <summary>Publish.</summary>
    /// <param name="sub">The client's name for it.</param>
    /// <param name="stream">The one stream, or nothing.</param>
    /// <param name="streams">The streams, or nothing.</param>
    /// <param name="events">The events as a JSON array, each with an id; empty when there was none.</param>
    /// <param name="expected">The position expected, or nothing.</param>
    /// <param name="durability">The durability, or nothing.</param>
    public SessionCommand Publish(
        string? sub, string? stream, IReadOnlyList<string>? streams, ReadOnlyMemory<byte> events, string? expected, string? durability)
    {
        if (CheckSub(sub) is { } bad)
        {
            return bad;
        }

        var isBroadcast = streams is { Count: > 0 };
        if (string.IsNullOrEmpty(stream) != isBroadcast)
        {
            return Refuse(sub, "stream", "A publish names 'stream' or 'streams', not both.");
        }

        var names = isBroadcast ? streams! : [stream!];
        if (names.Count > options.MaxPublishStreams)
        {
            return Refuse(sub, "streams", $"A publish names at most {options.MaxPublishStreams} streams.");
        }

        if (names.Any(name => !StreamName.IsValid(name)))
        {
            return Refuse(sub, isBroadcast ? "streams" : "stream", StreamName.Rule + ".");
        }

        if (isBroadcast && names.ToHashSet(StringComparer.Ordinal).Count < names.Count)
        {
            return Refuse(sub, "streams", "A stream is named twice.");
        }

        if (!string.IsNullOrEmpty(expected) && !StreamPosition.TryParse(expected, out _))
        {
            return Refuse(sub, "expected", "It is a position; 0-0 for a new stream.");
        }

        if (durability is not (null or "" or "log" or "archived"))
        {
            return Refuse(sub, "durability", "It is 'log' or 'archived'.");
        }

        return events.IsEmpty
            ? Refuse(sub, "events", "A publish has at least one event.")
            : new PublishCommand(
                sub!, names, isBroadcast, events, string.IsNullOrEmpty(expected) ? null : expected, durability == "archived");
    }

    /// <summary>A refusal for the message of a name, which may itself be at fault.</summary>
    public static RefusedCommand Refuse(string? sub, SessionFault fault) =>
        new(sub is not null && CheckSub(sub) is null ? sub : null, fault);

    private static RefusedCommand Refuse(string? sub, string parameter, string detail) =>
        new(sub, SessionFault.InvalidParameter(parameter, detail));

    private static RefusedCommand? CheckSub(string? sub) =>
        string.IsNullOrEmpty(sub) || sub.Length > MaxSubLength || sub.Any(char.IsControl)
            ? new RefusedCommand(null, SessionFault.InvalidParameter("sub", $"It has 1 to {MaxSubLength} characters, none of them a control character."))
            : null;
}
