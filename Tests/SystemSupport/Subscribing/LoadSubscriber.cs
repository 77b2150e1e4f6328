using System.Globalization;
using System.Text.Json;
using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.SystemSupport.Subscribing;

/// <summary>A subscriber that resumes after the last event it has, for as long as it lives, on whatever transport.</summary>
public abstract class LoadSubscriber : IAsyncDisposable
{
    private static readonly TimeSpan ReconnectPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;
    private int _connections;
    private int _disposed;

    protected LoadSubscriber(IReadOnlyList<SubscriberTrack> tracks, History history)
    {
        Tracks = tracks;
        History = history;
    }

    protected LoadSubscriber(SubscriberTrack track, History history)
        : this([track], history)
    {
    }

    /// <summary>What came, for each stream.</summary>
    public IReadOnlyList<SubscriberTrack> Tracks { get; }

    /// <summary>What came of the only stream, or the first.</summary>
    public SubscriberTrack Track => Tracks[0];

    /// <summary>Completes with the first connection.</summary>
    public Task Connected => _connected.Task;

    /// <summary>How many connections there were.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>How it takes its time: awaited after each event, and nothing is read meanwhile. Pages are not paced.</summary>
    public Func<CancellationToken, Task>? Pace { get; init; }

    protected History History { get; }

    /// <summary>Begins to follow.</summary>
    public void Start() => _running = RunAsync();

    /// <summary>Ends and returns when the connection is closed.</summary>
    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _stop.CancelAsync();
        await _running.WaitAsync(EndTimeout).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var track in Tracks)
        {
            track.Close();
        }

        Dispose();
        _stop.Dispose();
    }

    protected virtual void Dispose()
    {
    }

    /// <summary>Follows on one connection until it ends.</summary>
    /// <returns>Whether the stream has ended, so that there is nothing to come back for.</returns>
    protected abstract Task<bool> FollowAsync(CancellationToken cancellationToken);

    /// <summary>Whether an exception is a connection's end, which a subscriber must live with.</summary>
    protected abstract bool IsExpected(Exception exception);

    protected void NoteConnection()
    {
        Interlocked.Increment(ref _connections);
        foreach (var track in Tracks)
        {
            track.Resume();
        }

        _connected.TrySetResult();
    }

    protected Task PaceAsync(CancellationToken cancellationToken) => Pace?.Invoke(cancellationToken) ?? Task.CompletedTask;

    protected static void NoteEvent(SubscriberTrack track, JsonElement delivered) => track.Event(
        delivered.GetProperty("position").GetString()!,
        delivered.TryGetProperty("subject", out var number) ? number.GetString()! : delivered.GetProperty("id").GetString()!,
        delivered.TryGetProperty("firstposition", out var first) ? first.GetString() : null,
        delivered.GetProperty("recordedtime").GetString());

    private async Task RunAsync()
    {
        await Task.Yield();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (await FollowAsync(_stop.Token))
                {
                    return;
                }
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (IsExpected(exception))
            {
                // The point of the exercise: the next connection resumes.
            }
            catch (Exception exception)
            {
                History.Report(
                    FindingKind.WrongAnswer, Track.Stream, Track.Name, string.Create(CultureInfo.InvariantCulture, $"{exception.GetType().Name}: {exception.Message}"));
            }

            await Pause.ForAsync(ReconnectPause, _stop.Token);
        }
    }
}
