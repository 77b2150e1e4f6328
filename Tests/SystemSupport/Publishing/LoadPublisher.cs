using System.Globalization;
using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.SystemSupport.Publishing;

/// <summary>
/// A publisher as it should be: every event has an id of its own, and a batch without an answer is sent again, with the same ids,
/// until it has one. Stops only between batches, so that everything it sent is acknowledged.
/// </summary>
public abstract class LoadPublisher : IAsyncDisposable
{
    private const int MaxBatch = 4;

    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(150);

    private readonly CancellationTokenSource _abandon = new();
    private readonly History _history;
    private readonly IReadOnlyList<string> _streams;
    private readonly TimeSpan _interval;
    private volatile bool _isStopping;
    private Task _running = Task.CompletedTask;
    private int _number;
    private int _batches;

    /// <param name="name">Its name, part of its events' ids.</param>
    /// <param name="history">Where it writes what it did.</param>
    /// <param name="streams">It publishes to these in turn.</param>
    /// <param name="interval">The time between two batches; null for none.</param>
    protected LoadPublisher(string name, History history, IReadOnlyList<string> streams, TimeSpan? interval = null)
    {
        Name = name;
        _history = history;
        _streams = streams;
        _interval = interval ?? TimeSpan.Zero;
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>How often it had to send again.</summary>
    public int Retries { get; private set; }

    /// <summary>
    /// Whether it lets the service name its events, as most publishers do: an event without an answer is given up, because only an id
    /// would make it safe to send it again. Its own number for the event travels as <c>subject</c>.
    /// </summary>
    public bool LeavesIdsToTheService { get; init; }

    /// <summary>Whether it sends each acknowledged batch once more and expects the same positions.</summary>
    public bool RepeatsEverything { get; init; }

    protected History History => _history;

    /// <summary>Begins to publish until stopped.</summary>
    public void Start() => _running = RunAsync();

    /// <summary>Lets the batch under way be acknowledged, and stops.</summary>
    public async Task StopAsync(TimeSpan patience)
    {
        _isStopping = true;
        try
        {
            await _running.WaitAsync(patience);
        }
        catch (TimeoutException)
        {
            await _abandon.CancelAsync();
            throw new TimeoutException($"{Name} got no answer to its last batch within {patience.TotalSeconds:0} s.");
        }
    }

    /// <summary>Publishes one batch to a stream and returns its ids when it is acknowledged; none where it was given up.</summary>
    public async Task<IReadOnlyList<string>> PublishAsync(string stream, int count, CancellationToken cancellationToken)
    {
        var ids = Enumerable.Range(0, count).Select(_ => string.Create(CultureInfo.InvariantCulture, $"{Name}-{++_number}")).ToArray();
        _history.Send(stream, ids);
        var mayBeKnown = false;
        while (true)
        {
            var answer = await TrySendAsync(stream, ids, cancellationToken);
            if (answer is not null)
            {
                Check(stream, ids, answer, mayBeKnown);
                _history.Acknowledge(Name, stream, ids, answer.First, answer.Last);
                if (RepeatsEverything)
                {
                    await RepeatAsync(stream, ids, answer, cancellationToken);
                }

                return ids;
            }

            if (LeavesIdsToTheService)
            {
                return [];
            }

            mayBeKnown = true;
            Retries++;
            await Pause.ForAsync(RetryPause, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    public virtual async ValueTask DisposeAsync()
    {
        await _abandon.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _abandon.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Sends a batch once.</summary>
    /// <returns>Null where it is to be sent again: no answer, or an answer that asks for it.</returns>
    protected abstract Task<PublishAnswer?> TrySendAsync(string stream, IReadOnlyList<string> ids, CancellationToken cancellationToken);

    private async Task RunAsync()
    {
        await Task.Yield();
        try
        {
            while (!_isStopping && !_abandon.IsCancellationRequested)
            {
                var batch = _batches++;
                var count = LeavesIdsToTheService ? 1 : 1 + (batch % MaxBatch);
                await PublishAsync(_streams[batch % _streams.Count], count, _abandon.Token);
                if (_interval > TimeSpan.Zero)
                {
                    await Pause.ForAsync(_interval, _abandon.Token);
                }
            }
        }
        catch (OperationCanceledException) when (_abandon.IsCancellationRequested)
        {
            // Given up.
        }
    }

    private async Task RepeatAsync(string stream, string[] ids, PublishAnswer first, CancellationToken cancellationToken)
    {
        while (true)
        {
            var again = await TrySendAsync(stream, ids, cancellationToken);
            if (again is not null)
            {
                // One whose publisher came to a healing phase too late stands in a later epoch, which the archive is asked about.
                var isLate = LogPosition.Parse(again.First).Epoch > LogPosition.Parse(first.First).Epoch;
                if (again.Accepted != 0 || (!isLate && (again.First != first.First || again.Last != first.Last)))
                {
                    _history.Report(
                        FindingKind.WrongAnswer, stream, Name,
                        $"the repeat of {ids[0]} at {first.First} was answered {again.First} with {again.Accepted} accepted");
                }

                return;
            }

            await Pause.ForAsync(RetryPause, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private void Check(string stream, string[] ids, PublishAnswer answer, bool mayBeKnown)
    {
        if (answer.Accepted + answer.Duplicates != ids.Length || (answer.Duplicates > 0 && !mayBeKnown))
        {
            _history.Report(
                FindingKind.WrongAnswer, stream, Name,
                $"{ids.Length} new events from {ids[0]} were answered {answer.Accepted} accepted, {answer.Duplicates} duplicates");
        }
    }
}
