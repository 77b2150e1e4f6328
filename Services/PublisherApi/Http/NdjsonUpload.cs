using System.Buffers;
using System.IO.Pipelines;
using AspireStreaming.PublisherApi.Appending;
using AspireStreaming.PublisherApi.Events;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>What uploads share.</summary>
/// <param name="Reader">Reads a line.</param>
/// <param name="Appender">Appends a chunk.</param>
/// <param name="Rate">How fast one caller may publish.</param>
/// <param name="Options">Limits.</param>
/// <param name="Time">The clock for silence.</param>
/// <param name="Draining">Ends uploads when the service stops.</param>
internal sealed record NdjsonContext(
    EventReader Reader, EventAppender Appender, PublishRate Rate, PublisherOptions Options, TimeProvider Time, CancellationToken Draining);

/// <summary>
/// One upload of NDJSON, appended while it comes in: in chunks, strictly one after another, each atomic. A chunk goes out when it is
/// full, when an event ends the stream, and whenever the sender pauses, so that a program's live output is not held back.
/// </summary>
/// <param name="context">What uploads share.</param>
/// <param name="stream">A valid stream name.</param>
/// <param name="expected">
/// Where the stream must stand when the first event is appended, which then goes alone. If that event is known already, this is the
/// repetition of an upload that broke off: what is known passes, and the rest is appended.
/// </param>
/// <param name="idempotencyKey">The request's key, which can stand for no line's id.</param>
internal sealed class NdjsonUpload(NdjsonContext context, string stream, StreamPosition? expected, string? idempotencyKey)
{
    private readonly PublisherOptions _options = context.Options;
    private StreamPosition? _expected = expected;
    private EventBatch _chunk = new(idempotencyKey);
    private long _chunkLine;
    private long _line;
    private long _scanned;
    private bool _ended;

    /// <summary>Cancelled when the publisher's token expires.</summary>
    public CancellationToken Expired { get; init; }

    /// <summary>Whom the events count for.</summary>
    public required string Caller { get; init; }

    /// <summary>What has been appended so far.</summary>
    public PublishTotals Totals { get; private set; }

    /// <summary>Reads to the end of the body.</summary>
    /// <returns>Why it stopped before; the lines before the one it names are appended.</returns>
    public async Task<Problem?> RunAsync(PipeReader body, CancellationToken requestAborted)
    {
        var problem = await ReadAsync(body, requestAborted);
        return problem is null ? null : problem with { Totals = Totals, Line = problem.Line ?? _line };
    }

    private async Task<Problem?> ReadAsync(PipeReader body, CancellationToken requestAborted)
    {
        using var silence = new CancellationTokenSource(_options.UploadIdleTimeout, context.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(
            [silence.Token, Expired, context.Draining, requestAborted]);
        while (true)
        {
            if (!body.TryRead(out var read))
            {
                // The sender pauses: what there is goes out.
                if (await FlushAsync(requestAborted) is { } refused)
                {
                    return refused;
                }

                silence.CancelAfter(_options.UploadIdleTimeout);
                try
                {
                    read = await body.ReadAsync(either.Token);
                }
                catch (OperationCanceledException) when (!requestAborted.IsCancellationRequested)
                {
                    return Interrupted();
                }
            }
            else if (context.Draining.IsCancellationRequested || Expired.IsCancellationRequested)
            {
                body.AdvanceTo(read.Buffer.Start);
                return await FlushAsync(requestAborted) ?? Interrupted();
            }

            var buffer = read.Buffer;
            Problem? problem = null;
            long rest;
            try
            {
                while (problem is null && TryTakeLine(ref buffer, read.IsCompleted, out var line))
                {
                    _line++;
                    problem = await TakeAsync(line, requestAborted);
                }
            }
            finally
            {
                // Whatever happens: a read that is not finished would cost the connection.
                rest = buffer.Length;
                body.AdvanceTo(buffer.Start, read.Buffer.End);
            }

            if (problem is not null)
            {
                return problem;
            }

            if (rest > _options.MaxEventBytes + 1L)
            {
                _line++;
                return await FlushAsync(requestAborted) ?? LineTooLong();
            }

            if (read.IsCompleted)
            {
                return await FlushAsync(requestAborted)
                    ?? (Totals.IsEmpty ? new Problem(ProblemKind.InvalidEvent, "The upload must have at least one event.") : null);
            }
        }
    }

    /// <summary>Takes a line off the buffer; what is left of a body that has ended is its last line.</summary>
    private bool TryTakeLine(ref ReadOnlySequence<byte> buffer, bool completed, out ReadOnlySequence<byte> line)
    {
        // A long line comes in many pieces; its beginning is not searched again with each.
        var unseen = buffer.Slice(_scanned);
        if (unseen.PositionOf((byte)'\n') is { } end)
        {
            line = buffer.Slice(0, end);
            buffer = buffer.Slice(buffer.GetPosition(1, end));
            _scanned = 0;
            return true;
        }

        if (completed && !buffer.IsEmpty)
        {
            line = buffer;
            buffer = buffer.Slice(buffer.End);
            _scanned = 0;
            return true;
        }

        _scanned = buffer.Length;
        line = default;
        return false;
    }

    private async ValueTask<Problem?> TakeAsync(ReadOnlySequence<byte> line, CancellationToken cancellationToken)
    {
        // One more for the carriage return.
        if (line.Length > _options.MaxEventBytes + 1L)
        {
            return await FlushAsync(cancellationToken) ?? LineTooLong();
        }

        if (Read(line) is { } fault)
        {
            return await FlushAsync(cancellationToken) ?? Problem.From(fault);
        }

        var most = _expected is null ? _options.NdjsonChunkEvents : 1;
        return _chunk.Events.Count >= most || _chunk.Bytes >= _options.NdjsonChunkBytes || _chunk.IsEnded
            ? await FlushAsync(cancellationToken)
            : null;
    }

    private EventFault? Read(ReadOnlySequence<byte> line)
    {
        if (line.IsSingleSegment)
        {
            return Read(line.FirstSpan);
        }

        var rented = ArrayPool<byte>.Shared.Rent((int)line.Length);
        try
        {
            line.CopyTo(rented);
            return Read(rented.AsSpan(0, (int)line.Length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private EventFault? Read(ReadOnlySpan<byte> line)
    {
        if (!line.ContainsAnyExcept(" \t\r"u8))
        {
            return null;
        }

        if (_ended)
        {
            return EventFault.Invalid("type", "The event before this line is terminal; it must be the last of its upload.", null);
        }

        if (_chunk.Events.Count == 0)
        {
            _chunkLine = _line;
        }

        return context.Reader.ReadLine(line, _chunk);
    }

    private async ValueTask<Problem?> FlushAsync(CancellationToken cancellationToken)
    {
        if (_chunk.Events.Count == 0)
        {
            return null;
        }

        if (context.Rate.IsOn && await SlowDownAsync(cancellationToken) is { } interrupted)
        {
            return interrupted;
        }

        var request = _chunk.ToRequest(stream, _expected);
        var outcome = await context.Appender.AppendAsync(request, cancellationToken);
        if (Refusals.Of(outcome, request, _options) is { } refused)
        {
            return refused with { Line = _chunkLine };
        }

        Totals = Totals.Add(outcome.Result!);
        _expected = null;
        _ended = _chunk.IsEnded;
        _chunk = new EventBatch(idempotencyKey);
        return null;
    }

    /// <summary>Waits until the chunk may be appended; meanwhile nothing more is read, which the sender notices by itself.</summary>
    private async ValueTask<Problem?> SlowDownAsync(CancellationToken requestAborted)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(Expired, context.Draining, requestAborted);
        try
        {
            for (var wait = context.Rate.WaitOf(Caller); wait > TimeSpan.Zero; wait = context.Rate.WaitOf(Caller))
            {
                await Task.Delay(wait, context.Time, either.Token);
            }
        }
        catch (OperationCanceledException) when (!requestAborted.IsCancellationRequested)
        {
            return Interrupted() with { Line = _chunkLine };
        }

        context.Rate.Take(Caller, _chunk.Events.Count);
        return null;
    }

    private Problem LineTooLong() =>
        new(ProblemKind.TooLarge, $"The line is longer than {_options.MaxEventBytes} bytes.") { Limit = _options.MaxEventBytes };

    private Problem Interrupted() => Expired.IsCancellationRequested ? Refusals.TokenExpired() with { Line = _line + 1 }
        : context.Draining.IsCancellationRequested
        ? new Problem(ProblemKind.Draining, "The service is stopping; the upload can go on elsewhere from this line.")
        {
            RetryAfter = TimeSpan.FromSeconds(1),
            Line = _line + 1,
        }
        : new Problem(ProblemKind.IdleTimeout, $"Nothing came for {_options.UploadIdleTimeout.TotalSeconds} s.") { Line = _line + 1 };
}
