namespace AspireStreaming.Client;

/// <summary>The connection ended, or could not be made; after a pause the subscription goes on by itself where it was.</summary>
public sealed class ConnectionLost : StreamItem
{
    internal ConnectionLost(string stream, TimeSpan delay, Exception? fault)
        : base(stream)
    {
        Delay = delay;
        Fault = fault;
    }

    /// <summary>The pause.</summary>
    public TimeSpan Delay { get; }

    /// <summary>Why; null when the service closed the connection in good order.</summary>
    public Exception? Fault { get; }
}
