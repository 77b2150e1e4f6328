using AspireStreaming.Client;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Cli.Tail;

/// <summary>Follows a stream: events to standard output, everything else to standard error.</summary>
internal sealed class TailRun(CliHost host, EventSubscriber subscriber, TailSettings settings)
{
    private readonly EventPrinter _printer = new(host, settings.Json);
    private bool _connected;
    private long _count;

    public async Task<ExitCode> RunAsync(CancellationToken cancellationToken)
    {
        using var expiry = new CancellationTokenSource(settings.Timeout ?? System.Threading.Timeout.InfiniteTimeSpan, host.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, cancellationToken);
        try
        {
            return await FollowAsync(either.Token);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            await FlushAsync(CancellationToken.None);
            return cancellationToken.IsCancellationRequested ? ExitCode.Interrupted : TimedOut();
        }
        catch (StreamingException)
        {
            await FlushAsync(CancellationToken.None);
            throw;
        }
    }

    private ExitCode TimedOut()
    {
        if (!_connected)
        {
            host.WriteError($"no connection to {settings.Url} within {settings.Timeout?.TotalSeconds:0.#} s.");
            return ExitCode.Unreachable;
        }

        if (settings.Count is { } wanted)
        {
            host.WriteError($"{_count:N0} of {wanted:N0} events within {settings.Timeout?.TotalSeconds:0.#} s.");
            return ExitCode.Failure;
        }

        return ExitCode.Success;
    }

    private async Task<ExitCode> FollowAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var items = subscriber.FollowAsync(settings.Stream, settings.Subscription, stop.Token).GetAsyncEnumerator(stop.Token);
        while (true)
        {
            var next = items.MoveNextAsync().AsTask();
            try
            {
                // Events that arrived together are written together; before a wait everything is out.
                if (!next.IsCompleted || _printer.IsFull)
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
                await FlushAsync(cancellationToken);
                return ExitCode.Success;
            }

            if (await TakeAsync(items.Current, cancellationToken))
            {
                await FlushAsync(cancellationToken);
                return ExitCode.Success;
            }
        }
    }

    /// <summary>Takes an item; true when enough has come.</summary>
    private async ValueTask<bool> TakeAsync(StreamItem item, CancellationToken cancellationToken)
    {
        _connected |= item is not ConnectionLost;
        switch (item)
        {
            case StreamEvent received:
                _printer.Print(received);
                _count++;
                return _count == settings.Count;

            case StreamNotice notice:
                await FlushAsync(cancellationToken);
                WriteNotice(notice);
                return false;

            case ConnectionLost lost:
                await FlushAsync(cancellationToken);
                if (!settings.Quiet)
                {
                    var reason = lost.Fault is null ? "connection closed" : Faults.Describe(lost.Fault);
                    var text = $"{reason}; reconnecting in {lost.Delay.TotalSeconds:0.0} s";
                    host.Error.WriteLine(host.Paint(host.ErrorIsTerminal, "90", text));
                }

                return false;

            default:
                return false;
        }
    }

    private void WriteNotice(StreamNotice notice)
    {
        if (settings.Quiet)
        {
            return;
        }

        var colour = notice switch
        {
            GapNotice or DroppedNotice => "31",
            EpochNotice or DrainNotice => "33",
            EndNotice => "32",
            _ => "90",
        };
        host.Error.WriteLine(host.Paint(host.ErrorIsTerminal, colour, $"{notice.Name} {notice.Json}"));
    }

    private ValueTask FlushAsync(CancellationToken cancellationToken) =>
        _printer.HasPending ? _printer.FlushAsync(cancellationToken) : ValueTask.CompletedTask;
}
