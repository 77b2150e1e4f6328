using Google.Protobuf;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>Writes messages to a gRPC call; they sit in one HTTP/2 flush, and the last of them says so.</summary>
/// <param name="output">The call.</param>
/// <param name="isCompressed">Whether the call is compressed: then messages that gain nothing from it are exempt.</param>
internal sealed class BatchWriter<T>(IAsyncStreamWriter<T> output, bool isCompressed)
    where T : IMessage
{
    /// <summary>
    /// Writes to a call that was cancelled complete at once; a loop of them keeps its thread, and many such loops keep all threads, from
    /// noticing the cancellation.
    /// </summary>
    private const int MaxWritesWithoutYield = 64;

    private static readonly WriteOptions Buffered = new(WriteFlags.BufferHint);
    private static readonly WriteOptions Last = new();
    private static readonly WriteOptions SmallBuffered = new(WriteFlags.BufferHint | WriteFlags.NoCompress);
    private static readonly WriteOptions SmallLast = new(WriteFlags.NoCompress);

    private int _writes;

    /// <summary>Writes messages in order.</summary>
    /// <returns>Whether that had to wait.</returns>
    public async ValueTask<bool> WriteAsync(IReadOnlyList<T> messages)
    {
        var waited = false;
        for (var index = 0; index < messages.Count; index++)
        {
            output.WriteOptions = OptionsFor(messages[index], index == messages.Count - 1);
            var writing = output.WriteAsync(messages[index]);
            if (!writing.IsCompleted)
            {
                waited = true;
                _writes = 0;
            }

            await writing;
            if (++_writes >= MaxWritesWithoutYield)
            {
                _writes = 0;
                await Task.Yield();
            }
        }

        return waited;
    }

    private WriteOptions OptionsFor(T message, bool isLast) => isCompressed && message.CalculateSize() < ResponseCompression.MinBytes
        ? (isLast ? SmallLast : SmallBuffered)
        : (isLast ? Last : Buffered);
}
