using System.Buffers;

namespace AspireStreaming.Client.Publishing;

/// <summary>Sends a chunk of NDJSON and returns when it is acknowledged.</summary>
internal delegate Task<PublishReceipt> SendChunk(
    string stream, ReadOnlyMemory<byte> lines, int count, PublishOptions options, CancellationToken cancellationToken);

/// <summary>
/// Publishes a sequence of unknown length in chunks of NDJSON, each repeated until it is acknowledged before the next is sent. A chunk
/// goes out when it is full, and whenever the source pauses, so that live output is not held back.
/// </summary>
internal sealed class EventUpload(EventWriter writer, SendChunk send, string stream, PublishOptions options)
{
    /// <summary>The service appends them in chunks of its own; more would only make a repetition dearer.</summary>
    private const int MaxEvents = 1_000;

    private const int MaxBytes = 1024 * 1024;

    private readonly ArrayBufferWriter<byte> _lines = new(16 * 1024);
    private int _count;
    private PublishOptions _options = options;
    private PublishReceipt? _total;

    public async Task<PublishReceipt?> RunAsync(IAsyncEnumerable<NewEvent> events, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var source = events.GetAsyncEnumerator(stop.Token);
        while (true)
        {
            var next = source.MoveNextAsync().AsTask();
            try
            {
                if (_count > 0 && (!next.IsCompleted || _count >= MaxEvents || _lines.WrittenCount >= MaxBytes))
                {
                    await FlushAsync(cancellationToken);
                }
            }
            catch
            {
                // An enumerator may not be disposed of while it moves.
                await stop.CancelAsync();
                await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                throw;
            }

            if (!await next)
            {
                break;
            }

            writer.Write(_lines, source.Current);
            _lines.Write("\n"u8);
            _count++;
        }

        if (_count > 0)
        {
            await FlushAsync(cancellationToken);
        }

        return _total;
    }

    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        var receipt = await send(stream, _lines.WrittenMemory, _count, _options, cancellationToken);
        _lines.ResetWrittenCount();
        _count = 0;

        // What the stream was expected to end with holds for the first event only.
        _options = _options with { Expected = null };
        _total = _total?.Then(receipt) ?? receipt;
        _options.Acknowledged?.Invoke(receipt);
    }
}
