namespace Grpc.Core;

/// <summary>Hints for one message; the numbers are compiled into callers.</summary>
[Flags]
public enum WriteFlags
{
    BufferHint = 1,
    NoCompress = 2,
}

/// <summary>How the messages of a call are written.</summary>
public class WriteOptions
{
    public static readonly WriteOptions Default = new();

    public WriteOptions(WriteFlags flags = default)
    {
        Flags = flags;
    }

    public WriteFlags Flags { get; }
}
