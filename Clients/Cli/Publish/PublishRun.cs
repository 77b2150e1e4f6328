using System.Buffers;
using System.Net;
using AspireStreaming.Client;

namespace AspireStreaming.Cli.Publish;

/// <summary>
/// Publishes lines in batches, one after another: a batch is sent only when the one before is acknowledged, so the order in the
/// stream is the order in the file whatever fails.
/// </summary>
internal sealed class PublishRun
{
    private readonly EventPublisher _publisher;
    private readonly PublishSettings _settings;
    private readonly TimeProvider _time;
    private readonly IPublishProgress _progress;
    private readonly EventEncoder _encoder;
    private readonly EventBatch _batch = new();
    private readonly int _batchSize;
    private long _nextSend;

    public PublishRun(EventPublisher publisher, PublishSettings settings, TimeProvider time, IPublishProgress progress)
    {
        _publisher = publisher;
        _settings = settings;
        _time = time;
        _progress = progress;
        _encoder = new EventEncoder(settings);

        // A steady rate wants small batches: at most a tenth of a second's worth.
        _batchSize = settings.Rate > 0 ? (int)Math.Clamp(settings.Rate / 10, 1, settings.BatchSize) : settings.BatchSize;
        _nextSend = time.GetTimestamp();
    }

    /// <summary>What has been acknowledged so far; also after a fault.</summary>
    public PublishTotals Totals { get; private set; }

    public async Task RunAsync(Stream input, CancellationToken cancellationToken)
    {
        var lines = new LineReader(input, _settings.FileName, PublishSettings.MaxLineBytes);
        var encoded = new ArrayBufferWriter<byte>(64 * 1024);
        while (true)
        {
            var read = lines.ReadAsync(cancellationToken);
            var line = read.IsCompleted ? await read : await ReadSlowlyAsync(read.AsTask(), cancellationToken);
            if (line is null)
            {
                break;
            }

            var data = line.Value.Span.Trim(" \t"u8);
            if (data.IsEmpty)
            {
                continue;
            }

            encoded.ResetWrittenCount();
            var terminal = _encoder.Encode(data, lines.LineNumber, encoded);
            if (_batch.Count > 0 && _batch.Bytes + encoded.WrittenCount > PublishSettings.MaxBatchBytes)
            {
                await SendAsync(cancellationToken);
            }

            _batch.Add(encoded.WrittenSpan, lines.LineNumber, lines.BytesRead);
            if (terminal || _batch.Count >= _batchSize)
            {
                await SendAsync(cancellationToken);
            }
        }

        if (_batch.Count > 0)
        {
            await SendAsync(cancellationToken);
        }
    }

    /// <summary>A pipe that pauses must not hold back the lines that it has already written.</summary>
    private async Task<ReadOnlyMemory<byte>?> ReadSlowlyAsync(Task<ReadOnlyMemory<byte>?> read, CancellationToken cancellationToken)
    {
        if (_batch.Count > 0)
        {
            using var lingering = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var first = await Task.WhenAny(read, Task.Delay(_settings.Linger, _time, lingering.Token));
            await lingering.CancelAsync();
            if (first != read)
            {
                cancellationToken.ThrowIfCancellationRequested();
                await SendAsync(cancellationToken);
            }
        }

        return await read;
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        await PaceAsync(cancellationToken);
        var events = _batch.Finish();
        PublishReceipt receipt;
        try
        {
            receipt = await _publisher.PublishJsonAsync(_settings.Stream, events, options: null, cancellationToken);
        }
        catch (ApiException exception) when (Explain(exception) is { } explanation)
        {
            throw new CliException(ExitCode.BadInput, explanation, exception);
        }

        if (receipt.Accepted + receipt.Duplicates != _batch.Count)
        {
            throw new InvalidDataException(
                $"the service acknowledged {receipt.Accepted + receipt.Duplicates} events of {_batch.Count}; repeat the command.");
        }

        Totals = new PublishTotals(
            Totals.Acknowledged + _batch.Count,
            Totals.Duplicates + receipt.Duplicates,
            Totals.First ?? receipt.First,
            receipt.Last,
            _batch.LastLine,
            _batch.InputBytes);
        _batch.Clear();
        _progress.Acknowledged(Totals);
    }

    private async Task PaceAsync(CancellationToken cancellationToken)
    {
        if (_settings.Rate <= 0)
        {
            return;
        }

        var now = _time.GetTimestamp();
        if (_nextSend > now)
        {
            await Task.Delay(_time.GetElapsedTime(now, _nextSend), _time, cancellationToken);
        }

        _nextSend = Math.Max(_nextSend, now) + (long)(_batch.Count / _settings.Rate * _time.TimestampFrequency);
    }

    private string? Explain(ApiException fault) => fault.Status switch
    {
        HttpStatusCode.Conflict =>
            $"stream '{_settings.Stream}' has ended, so {Lines()} of {_settings.FileName} cannot be appended ({Reason(fault)}).",
        HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge when fault.Problem.Index is { } index =>
            $"{_settings.FileName}:{_batch.LineOf(index)}: the service refuses the event: {Reason(fault)}",
        HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge =>
            $"{_settings.FileName}: the service refuses {Lines()}: {Reason(fault)}",
        _ => null,
    };

    private string Lines() => _batch.Count == 1 ? $"line {_batch.FirstLine}" : $"lines {_batch.FirstLine} to {_batch.LastLine}";

    private static string Reason(ApiException fault) => fault.Problem.ToString() is { Length: > 0 } text ? text : fault.Message;
}
