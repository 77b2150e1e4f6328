namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>A command on its way over a <see cref="WireConnection"/>.</summary>
internal abstract class WireCall
{
    /// <summary>How many callers wait for its answer: what it costs to complete it.</summary>
    public abstract int Callers { get; }

    /// <summary>When it was given to the connection; a timestamp of the connection's clock.</summary>
    public long SentAt { get; set; }

    /// <summary>Bytes of the command.</summary>
    public int Bytes { get; set; }

    /// <summary>Replies that are still to come; an error is the last.</summary>
    public int Replies { get; set; } = 1;

    /// <summary>Writes the command.</summary>
    public abstract void Write(RespBuffer into);

    /// <summary>Keeps the answer; it is gone when this returns.</summary>
    public abstract void Take(in RespReply reply);

    /// <summary>Gives the answer to those that wait.</summary>
    /// <param name="inline">Whether they may go on in this thread.</param>
    public abstract void Complete(bool inline);

    /// <summary>There is no answer; whether the command ran is not known. Nobody goes on in this thread.</summary>
    public abstract void Fail(Exception exception);
}
