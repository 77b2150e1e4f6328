namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>Receives a message. Must not block: other messages wait.</summary>
/// <param name="message">The message, for the receiver to keep.</param>
/// <param name="inline">Whether few messages came at once, so that all may be done in this thread that the message asks for.</param>
public delegate void WireMessageHandler(ReadOnlyMemory<byte> message, bool inline);
