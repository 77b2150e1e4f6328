namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>
/// Receives the messages of a channel, in order, in two steps: what came together is received first, and then done. Neither may block:
/// other messages wait.
/// </summary>
public interface IWireSubscriber
{
    /// <summary>Receives a message.</summary>
    /// <param name="message">The message; it is gone when this returns.</param>
    /// <returns>Whether <see cref="OnReceived"/> is to be called.</returns>
    bool OnMessage(ReadOnlyMemory<byte> message);

    /// <summary>All that came together has been received.</summary>
    /// <param name="inline">Whether all may be done in this thread that the messages ask for; else it is for others.</param>
    void OnReceived(bool inline);
}
