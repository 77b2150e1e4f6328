using AspireStreaming.StreamApi.Connections;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>A message of a session's client, whatever its transport; checked as far as it can be without the session.</summary>
internal abstract record SessionCommand;

/// <summary>Subscribe to a stream.</summary>
/// <param name="Sub">The client's name for it.</param>
/// <param name="Request">What to follow.</param>
/// <param name="IsFromGiven">Whether the client said where to start.</param>
/// <param name="Window">The window it asks for: null = adaptive, 0 = no acknowledgements.</param>
/// <param name="Cursor">The durable cursor; null for none.</param>
internal sealed record SubscribeCommand(string Sub, SubscriptionRequest Request, bool IsFromGiven, int? Window, string? Cursor) : SessionCommand;

/// <summary>Everything up to a position is done with.</summary>
internal sealed record AckCommand(string Sub, StreamPosition Position) : SessionCommand;

/// <summary>End a subscription.</summary>
internal sealed record UnsubscribeCommand(string Sub) : SessionCommand;

/// <summary>Publish events.</summary>
/// <param name="Sub">The client's name for it.</param>
/// <param name="Streams">The streams, at least one.</param>
/// <param name="IsBroadcast">Whether the client gave a list of streams: then each has a result of its own, failed or not.</param>
/// <param name="Events">The events as a JSON array; each has an id, so that a try can be repeated.</param>
/// <param name="Expected">The position that the stream must be at; null: any.</param>
/// <param name="IsArchived">Whether to answer when the archive has them.</param>
internal sealed record PublishCommand(
    string Sub, IReadOnlyList<string> Streams, bool IsBroadcast, ReadOnlyMemory<byte> Events, string? Expected, bool IsArchived) : SessionCommand;

/// <summary>Answer with a pong.</summary>
internal sealed record PingCommand : SessionCommand;

/// <summary>A message that is answered with an error at once.</summary>
/// <param name="Sub">What it is about; null for the session.</param>
/// <param name="Fault">The answer.</param>
internal sealed record RefusedCommand(string? Sub, SessionFault Fault) : SessionCommand;

/// <summary>What was received: a message, or an acknowledgement, of which there are many, without an object for it.</summary>
/// <param name="Command">The message; null for an acknowledgement.</param>
/// <param name="Sub">The acknowledgement's subscription.</param>
/// <param name="Position">The acknowledged position.</param>
internal readonly record struct Received(SessionCommand? Command, string Sub, StreamPosition Position);
