using AspireStreaming.Archive.Cursors;
using AspireStreaming.StreamApi.Delivery;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>
/// The durable cursors that subscriptions of this replica hold. Acknowledged positions are stored in batches, about once a second and
/// when a subscription ends; the fence in the row tells which holder is the newest, on whatever replica. Thread-safe.
/// </summary>
internal sealed class DurableCursors(
    IServiceProvider services, IOptions<SessionOptions> options, TimeProvider time, ILogger<DurableCursors> logger) : BackgroundService
{
    /// <summary>Rows in one statement.</summary>
    private const int MaxBatch = 2_000;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ForgetInterval = TimeSpan.FromHours(1);

    private readonly ConsumerCursors? _store = services.GetService<ConsumerCursors>();
    private readonly SessionOptions _options = options.Value;
    private readonly Dictionary<CursorKey, HeldCursor> _held = [];
    private readonly HashSet<HeldCursor> _releasing = [];
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _storing = new(1);
    private bool _failing;

    /// <summary>Cursors held.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _held.Count;
            }
        }
    }

    /// <summary>Makes a subscription the holder of a cursor; who held it before is told.</summary>
    /// <param name="key">The cursor.</param>
    /// <param name="lost">Called once when a newer subscription takes it over; from any thread.</param>
    /// <param name="cancellationToken">Ends waiting.</param>
    /// <exception cref="ArchiveUnavailableException">There is no database, or it does not answer.</exception>
    public async Task<HeldCursor> HoldAsync(CursorKey key, Action lost, CancellationToken cancellationToken)
    {
        if (_store is null)
        {
            throw new ArchiveUnavailableException("No database is configured for cursors.");
        }

        HeldCursor? before;
        lock (_lock)
        {
            if (_held.Count + _releasing.Count >= _options.MaxCursors)
            {
                throw new ArchiveUnavailableException("This replica holds as many cursors as it may.");
            }

            before = _held.GetValueOrDefault(key) ?? _releasing.FirstOrDefault(held => held.Key == key);
        }

        using var limit = Limit(cancellationToken);
        try
        {
            if (before is { IsDirty: true })
            {
                await StoreAsync([before], limit.Token);
            }

            var claim = await _store.ClaimAsync(key, limit.Token);
            return Register(new HeldCursor(claim, lost));
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Npgsql's faults, a schema that is not there yet, or our own limit: they all mean later.
            throw new ArchiveUnavailableException("The database of the cursors does not answer.", exception);
        }
    }

    /// <summary>Gives a cursor back; its position is stored if that can be done soon, else a little later.</summary>
    public async Task ReleaseAsync(HeldCursor cursor)
    {
        lock (_lock)
        {
            if (_held.GetValueOrDefault(cursor.Key) == cursor)
            {
                _held.Remove(cursor.Key);
            }

            if (!cursor.IsDirty)
            {
                return;
            }

            _releasing.Add(cursor);
        }

        using var limit = Limit(CancellationToken.None);
        try
        {
            await StoreAsync([cursor], limit.Token);
        }
        catch (Exception exception)
        {
            // The next round tries again.
            if (!_failing)
            {
                SessionLog.CursorsNotStored(logger, 1, exception);
            }
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (_store is not null)
        {
            await TryStoreAsync(Collect(all: false), cancellationToken);
        }
    }

    public override void Dispose()
    {
        _storing.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_store is null)
        {
            return;
        }

        using var timer = new PeriodicTimer(_options.CursorFlushInterval, time);
        var checkedAt = time.GetTimestamp();
        var forgottenAt = time.GetTimestamp();
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                var all = time.GetElapsedTime(checkedAt) >= _options.CursorCheckInterval;
                checkedAt = all ? time.GetTimestamp() : checkedAt;
                await TryStoreAsync(Collect(all), stoppingToken);
                if (time.GetElapsedTime(forgottenAt) >= ForgetInterval && !_failing)
                {
                    forgottenAt = time.GetTimestamp();
                    await TryForgetAsync(stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private HeldCursor Register(HeldCursor cursor)
    {
        HeldCursor? older;
        lock (_lock)
        {
            older = _held.GetValueOrDefault(cursor.Key);
            if (older is null || older.Fence < cursor.Fence)
            {
                _held[cursor.Key] = cursor;
            }
            else
            {
                older = cursor;
            }
        }

        Lose(older);
        return cursor;
    }

    private void Lose(HeldCursor? cursor)
    {
        if (cursor is not null)
        {
            SessionLog.CursorLost(logger, cursor.Key.Name, cursor.Key.Stream);
            cursor.OnLost();
        }
    }

    private List<HeldCursor> Collect(bool all)
    {
        lock (_lock)
        {
            return [.. _held.Values.Where(cursor => all || cursor.IsDirty), .. _releasing];
        }
    }

    private async Task TryStoreAsync(List<HeldCursor> cursors, CancellationToken cancellationToken)
    {
        foreach (var batch in cursors.Chunk(MaxBatch))
        {
            using var limit = Limit(cancellationToken);
            try
            {
                await StoreAsync(batch, limit.Token);
                if (_failing)
                {
                    _failing = false;
                    SessionLog.CursorsStoredAgain(logger);
                }
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                // Nothing is lost: what was acknowledged stays here until it is stored.
                if (!_failing)
                {
                    _failing = true;
                    SessionLog.CursorsNotStored(logger, cursors.Count, exception);
                }

                return;
            }
        }
    }

    private async Task StoreAsync(HeldCursor[] cursors, CancellationToken cancellationToken)
    {
        // One at a time, or an older position could be stored after a newer one.
        await _storing.WaitAsync(cancellationToken);
        try
        {
            var claims = Array.ConvertAll(cursors, cursor => cursor.ToStore());
            var holding = await _store!.StoreAsync(claims, cancellationToken);
            for (var index = 0; index < claims.Length; index++)
            {
                if (holding.Contains(index))
                {
                    cursors[index].OnStored(claims[index].Position);
                }
                else
                {
                    Lose(cursors[index]);
                }
            }

            lock (_lock)
            {
                _releasing.RemoveWhere(cursor => !cursor.IsDirty);
            }
        }
        finally
        {
            _storing.Release();
        }
    }

    private async Task TryForgetAsync(CancellationToken cancellationToken)
    {
        using var limit = Limit(cancellationToken);
        try
        {
            await _store!.ForgetAsync(_options.CursorRetention, limit.Token);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            SessionLog.CursorsNotForgotten(logger, exception);
        }
    }

    private Limited Limit(CancellationToken cancellationToken) => new(Timeout, time, cancellationToken);

    /// <summary>A time limit on top of the caller's token.</summary>
    private sealed class Limited : IDisposable
    {
        private readonly CancellationTokenSource _deadline;
        private readonly CancellationTokenSource _either;

        public Limited(TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
        {
            _deadline = new CancellationTokenSource(timeout, time);
            _either = CancellationTokenSource.CreateLinkedTokenSource(_deadline.Token, cancellationToken);
        }

        public CancellationToken Token => _either.Token;

        public void Dispose()
        {
            _either.Dispose();
            _deadline.Dispose();
        }
    }
}
