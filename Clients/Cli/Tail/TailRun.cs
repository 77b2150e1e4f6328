using System.Text;
using AspireStreaming.Cli.Client;

namespace AspireStreaming.Cli.Tail;

/// <summary>Follows a stream: events to standard output, everything else to standard error.</summary>
internal sealed class TailRun(CliHost host, StreamApiClient client, TailSettings settings)
{
    private readonly EventPrinter _printer = new(host, settings.Json);
    private readonly ContinuityCheck _check = new(filtered: settings.Types is not null);
    private long _count;

    public async Task<ExitCode> RunAsync(CancellationToken cancellationToken)
    {
        using var expiry = new CancellationTokenSource(settings.Timeout ?? System.Threading.Timeout.InfiniteTimeSpan, host.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, cancellationToken);
        var tail = new EventTail(client, settings.Stream, host.Time)
        {
            From = settings.From,
            Types = settings.Types,
            ConnectWithin = settings.RetryFor,
        };
        try
        {
            return await FollowAsync(tail, either.Token);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            await FlushAsync(CancellationToken.None);
            if (cancellationToken.IsCancellationRequested)
            {
                return ExitCode.Interrupted;
            }

            return TimedOut(tail);
        }
    }

    private ExitCode TimedOut(EventTail tail)
    {
        if (!tail.Connected)
        {
            host.WriteError($"no connection to {client.Url} within {settings.Timeout?.TotalSeconds:0.#} s.");
            return ExitCode.Unreachable;
        }

        if (settings.Count is { } wanted)
        {
            host.WriteError($"{_count:N0} of {wanted:N0} events within {settings.Timeout?.TotalSeconds:0.#} s.");
            return ExitCode.Failure;
        }

        return ExitCode.Success;
    }

    private async Task<ExitCode> FollowAsync(EventTail tail, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var messages = tail.ReadAsync(stop.Token).GetAsyncEnumerator(stop.Token);
        while (true)
        {
            var next = messages.MoveNextAsync().AsTask();
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
                return ExitCode.Success;
            }

            if (await TakeAsync(messages.Current, cancellationToken) is { } exitCode)
            {
                await FlushAsync(cancellationToken);
                return exitCode;
            }
        }
    }

    private async ValueTask<ExitCode?> TakeAsync(TailMessage message, CancellationToken cancellationToken)
    {
        switch (message.Kind)
        {
            case TailMessageKind.Event:
                if (Fault(_check.Event(message.Position)))
                {
                    return ExitCode.VerificationFailed;
                }

                _printer.Print(message.Data);
                _count++;
                return _count == settings.Count ? ExitCode.Success : null;

            case TailMessageKind.Cursor:
                _check.Cursor(message.Position);
                return null;

            case TailMessageKind.Control:
                await FlushAsync(cancellationToken);
                WriteControl(message);
                return Fault(_check.Control(message.Name, message.Data)) ? ExitCode.VerificationFailed : null;

            case TailMessageKind.Interrupted:
                await FlushAsync(cancellationToken);
                if (!settings.Quiet)
                {
                    var reason = message.Fault is null ? "connection closed" : Faults.Describe(message.Fault);
                    var text = $"{reason}; reconnecting in {message.Delay.TotalSeconds:0.0} s";
                    host.Error.WriteLine(host.Paint(host.ErrorIsTerminal, "90", text));
                }

                return null;

            default:
                return ExitCode.Success;
        }
    }

    private bool Fault(string? fault)
    {
        if (fault is null || !settings.Check)
        {
            return false;
        }

        host.WriteError($"{settings.Stream}: {fault}.");
        return true;
    }

    private void WriteControl(TailMessage message)
    {
        if (settings.Quiet)
        {
            return;
        }

        var colour = message.Name switch
        {
            "stream.gap" or "stream.dropped" => "31",
            "stream.epoch" or "stream.drain" => "33",
            "stream.end" => "32",
            _ => "90",
        };
        host.Error.WriteLine(host.Paint(host.ErrorIsTerminal, colour, $"{message.Name} {Encoding.UTF8.GetString(message.Data.Span)}"));
    }

    private ValueTask FlushAsync(CancellationToken cancellationToken) =>
        _printer.HasPending ? _printer.FlushAsync(cancellationToken) : ValueTask.CompletedTask;
}
