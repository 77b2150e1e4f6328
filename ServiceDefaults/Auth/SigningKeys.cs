using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>
/// The current key set, read again now and then and when a token names an unknown key. One that was read stays in use while its
/// source is away.
/// </summary>
internal sealed class SigningKeys(KeySetReader reader, IOptions<AuthOptions> options, TimeProvider time, ILogger<SigningKeys> logger)
    : BackgroundService
{
    private readonly JwtOptions _options = options.Value.Jwt;
    private readonly Lock _lock = new();
    private TaskCompletionSource _wanted = New();
    private TaskCompletionSource _attempted = New();
    private KeySet? _current;
    private long _lastAttempt;

    /// <summary>The key set; null as long as it could not be read even once.</summary>
    public KeySet? Current => Volatile.Read(ref _current);

    /// <summary>The key set, if need be after waiting for the first reading; null if it failed.</summary>
    public async ValueTask<KeySet?> GetAsync(CancellationToken cancellationToken)
    {
        if (Current is { } known || string.IsNullOrEmpty(_options.Jwks))
        {
            return Current;
        }

        await ReadAgainAsync(cancellationToken);
        return Current;
    }

    /// <summary>The key set as it is now at its source, unless it was asked for a moment ago.</summary>
    public async ValueTask<KeySet?> RefreshAsync(CancellationToken cancellationToken)
    {
        if (!string.IsNullOrEmpty(_options.Jwks))
        {
            await ReadAgainAsync(cancellationToken);
        }

        return Current;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (string.IsNullOrEmpty(_options.Jwks))
        {
            return;
        }

        var failing = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            TaskCompletionSource attempted;
            Task wanted;
            try
            {
                var keys = await reader.ReadAsync(stoppingToken);
                Volatile.Write(ref _current, keys);
                AuthLog.KeysRead(logger, keys.Count, _options.Jwks);
                failing = false;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                // Whatever is wrong with the source: the next reading may succeed, and until then tokens are judged by what is known.
                if (!failing)
                {
                    AuthLog.KeysUnavailable(logger, _options.Jwks, exception);
                }

                failing = true;
            }

            lock (_lock)
            {
                _lastAttempt = time.GetTimestamp();
                attempted = _attempted;
                _attempted = New();
                _wanted = New();
                wanted = _wanted.Task;
            }

            attempted.SetResult();
            await WaitAsync(wanted, failing ? _options.JwksMinInterval : _options.JwksRefresh, stoppingToken);
        }
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task WaitAsync(Task wanted, TimeSpan longest, CancellationToken stoppingToken)
    {
        try
        {
            await wanted.WaitAsync(longest, time, stoppingToken);
        }
        catch (TimeoutException)
        {
            // It is time.
        }
        catch (OperationCanceledException)
        {
            // The service stops.
        }
    }

    private async Task ReadAgainAsync(CancellationToken cancellationToken)
    {
        Task attempted;
        lock (_lock)
        {
            // Anybody can make up a key's name; the source is not asked more often for that.
            if (_lastAttempt != 0 && time.GetElapsedTime(_lastAttempt) < _options.JwksMinInterval)
            {
                return;
            }

            attempted = _attempted.Task;
            _wanted.TrySetResult();
        }

        try
        {
            // A reading that is on its way in this moment may be too old by a hair; then the next request asks again.
            await attempted.WaitAsync(_options.JwksTimeout, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // Judged by what is known.
        }
    }
}
