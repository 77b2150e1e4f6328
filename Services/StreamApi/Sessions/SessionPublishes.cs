using System.Collections.Concurrent;
using AspireStreaming.ServiceDefaults;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>
/// The publishes of one session. Those to the same stream go one after another, in the order in which they came; the others side by
/// side. Begun and taken by the session's loop only.
/// </summary>
/// <param name="publisher">Hands them on.</param>
/// <param name="inFlight">What all sessions share.</param>
/// <param name="options">Their bounds.</param>
/// <param name="authorization">In whose name: the value of the header, or null.</param>
/// <param name="completed">Called when one is done; from any thread.</param>
internal sealed class SessionPublishes(
    SessionPublisher publisher, InFlightBytes inFlight, SessionOptions options, string? authorization, Action completed) : IAsyncDisposable
{
    private readonly Dictionary<string, Task> _underWay = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Task> _lastOfStream = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<PublishDone> _done = new();
    private readonly CancellationTokenSource _stop = new();
    private int _count;
    private long _retries;

    /// <summary>Publishes that were begun and not taken; read by anybody.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>How often one was tried again.</summary>
    public long Retries => Volatile.Read(ref _retries);

    /// <summary>Whether one of the name is under way.</summary>
    public bool Contains(string sub) => _underWay.ContainsKey(sub);

    /// <summary>Begins a publish.</summary>
    /// <returns>Why not; null when it was begun.</returns>
    public SessionFault? Begin(PublishCommand command)
    {
        if (_count >= options.MaxPublishes)
        {
            return SessionFault.TooMany("too-many-publishes", $"A session has at most {options.MaxPublishes} publishes under way.");
        }

        var bytes = command.Events.Length;
        if (!inFlight.TryReserve(bytes))
        {
            return SessionFault.TooMany("too-many-publishes", "Too many bytes are being published through this replica at a time.");
        }

        Volatile.Write(ref _count, _count + 1);
        var before = command.Streams.Select(stream => _lastOfStream.GetValueOrDefault(stream)).OfType<Task>().Distinct().ToArray();
        var task = RunAsync(command, before, bytes);
        _underWay[command.Sub] = task;
        foreach (var stream in command.Streams)
        {
            _lastOfStream[stream] = task;
        }

        return null;
    }

    /// <summary>Takes one that is done.</summary>
    public bool TryTake(out PublishDone done)
    {
        if (!_done.TryDequeue(out done))
        {
            return false;
        }

        Volatile.Write(ref _count, _count - 1);
        if (_underWay.Remove(done.Command.Sub, out var task))
        {
            foreach (var stream in done.Command.Streams)
            {
                if (_lastOfStream.TryGetValue(stream, out var last) && last == task)
                {
                    _lastOfStream.Remove(stream);
                }
            }
        }

        return true;
    }

    /// <summary>Ends what is under way; those events may be appended or not.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_underWay.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task RunAsync(PublishCommand command, Task[] before, int bytes)
    {
        // Off the session's loop, which must not wait for a connection to be made.
        await Task.Yield();
        PublishResult[]? results = null;
        Exception? failure = null;
        try
        {
            await Task.WhenAll(before);
            results = await publisher.PublishAsync(command, authorization, () => Interlocked.Increment(ref _retries), _stop.Token);
        }
        catch (Exception exception)
        {
            // It has to be answered whatever went wrong; only a session that is over has nobody to answer to.
            failure = exception;
        }
        finally
        {
            inFlight.Release(bytes);
        }

        _done.Enqueue(new PublishDone(command, results, failure));
        completed();
    }
}

/// <summary>A publish that is over.</summary>
/// <param name="Command">What it was.</param>
/// <param name="Results">What became of it; null when it broke.</param>
/// <param name="Failure">Why it broke.</param>
internal readonly record struct PublishDone(PublishCommand Command, PublishResult[]? Results, Exception? Failure);
