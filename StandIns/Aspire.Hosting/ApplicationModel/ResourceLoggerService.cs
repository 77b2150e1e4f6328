using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.ApplicationModel;

public class ResourceLoggerService : IDisposable
{
    private const int BacklogLines = 2_000;
    private readonly ConcurrentDictionary<string, ResourceLog> _logs = new(StringComparer.OrdinalIgnoreCase);
    private readonly CancellationTokenSource _disposing = new();

    /// <summary>Hears every line that is logged for a resource through an <see cref="ILogger"/> (not the lines of its process).</summary>
    internal Action<string, string, bool>? LineLogged { get; set; }

    public ILogger GetLogger(IResource resource)
    {
        ArgumentNullException.ThrowIfNull(resource);
        return new ResourceLogger(this, resource.GetResolvedResourceNames);
    }

    public ILogger GetLogger(string resourceName)
    {
        ArgumentNullException.ThrowIfNull(resourceName);
        return new ResourceLogger(this, () => [resourceName]);
    }

    public async IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(IResource resource)
    {
        ArgumentNullException.ThrowIfNull(resource);
        var names = resource.GetResolvedResourceNames();
        if (names.Count == 1)
        {
            await foreach (var lines in WatchAsync(names[0]).ConfigureAwait(false))
            {
                yield return lines;
            }

            yield break;
        }

        var merged = Channel.CreateBounded<IReadOnlyList<LogLine>>(BacklogLines);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(_disposing.Token);
        var readers = CopyAllAsync(names, merged.Writer, stopping.Token);
        try
        {
            await foreach (var lines in merged.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                yield return lines;
            }
        }
        finally
        {
            await stopping.CancelAsync().ConfigureAwait(false);
            await readers.ConfigureAwait(false);
        }
    }

    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(string resourceName) => Log(resourceName).WatchAsync(_disposing.Token);

    public async IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(string resourceName)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        yield return Log(resourceName).Backlog();
    }

    public async IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(IResource resource)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        foreach (var name in resource.GetResolvedResourceNames())
        {
            yield return Log(name).Backlog();
        }
    }

    public void Complete(IResource resource)
    {
        foreach (var name in resource.GetResolvedResourceNames())
        {
            Complete(name);
        }
    }

    public void Complete(string name) => Log(name).Complete();

    public void ClearBacklog(string resourceName) => Log(resourceName).Clear();

    public void Dispose()
    {
        _disposing.Cancel();
        GC.SuppressFinalize(this);
    }

    internal void Append(string resourceId, string line, bool isError) => Log(resourceId).Append(line, isError);

    internal IReadOnlyList<string> LastLines(string resourceId, int count) =>
        [.. Log(resourceId).Backlog().TakeLast(count).Select(line => line.Content)];

    private async Task CopyAllAsync(
        IReadOnlyList<string> names,
        ChannelWriter<IReadOnlyList<LogLine>> writer,
        CancellationToken cancellationToken)
    {
        await Task.WhenAll(names.Select(name => CopyAsync(name, writer, cancellationToken))).ConfigureAwait(false);
        writer.TryComplete();
    }

    private async Task CopyAsync(string name, ChannelWriter<IReadOnlyList<LogLine>> writer, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var lines in Log(name).WatchAsync(cancellationToken).ConfigureAwait(false))
            {
                await writer.WriteAsync(lines, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private ResourceLog Log(string name) => _logs.GetOrAdd(name, _ => new ResourceLog());

    private sealed class ResourceLogger(ResourceLoggerService owner, Func<IReadOnlyList<string>> names) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
            {
                return;
            }

            var text = formatter(state, exception);
            var isError = logLevel >= LogLevel.Error;
            foreach (var line in (exception is null ? text : $"{text}{Environment.NewLine}{exception}").Split('\n'))
            {
                foreach (var name in names())
                {
                    owner.Append(name, line.TrimEnd('\r'), isError);
                }

                owner.LineLogged?.Invoke(names()[0], line.TrimEnd('\r'), isError);
            }
        }
    }

    /// <summary>The last lines of one resource and those who follow it; who falls behind by more than the backlog misses lines.</summary>
    private sealed class ResourceLog
    {
        private readonly Lock _lock = new();
        private readonly Queue<LogLine> _backlog = [];
        private readonly List<Channel<LogLine>> _watchers = [];
        private int _lineNumber;

        public void Append(string line, bool isError)
        {
            lock (_lock)
            {
                var entry = new LogLine(++_lineNumber, line, isError);
                _backlog.Enqueue(entry);
                if (_backlog.Count > BacklogLines)
                {
                    _backlog.Dequeue();
                }

                foreach (var watcher in _watchers)
                {
                    watcher.Writer.TryWrite(entry);
                }
            }
        }

        public IReadOnlyList<LogLine> Backlog()
        {
            lock (_lock)
            {
                return [.. _backlog];
            }
        }

        public void Clear()
        {
            lock (_lock)
            {
                _backlog.Clear();
            }
        }

        public void Complete()
        {
            lock (_lock)
            {
                foreach (var watcher in _watchers)
                {
                    watcher.Writer.TryComplete();
                }
            }
        }

        public async IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            var channel = Channel.CreateBounded<LogLine>(
                new BoundedChannelOptions(BacklogLines) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
            IReadOnlyList<LogLine> backlog;
            lock (_lock)
            {
                backlog = [.. _backlog];
                _watchers.Add(channel);
            }

            try
            {
                if (backlog.Count > 0)
                {
                    yield return backlog;
                }

                while (await WaitToReadAsync(channel.Reader, cancellationToken).ConfigureAwait(false))
                {
                    var lines = new List<LogLine>();
                    while (channel.Reader.TryRead(out var line))
                    {
                        lines.Add(line);
                    }

                    yield return lines;
                }
            }
            finally
            {
                lock (_lock)
                {
                    _watchers.Remove(channel);
                }
            }
        }

        private static async ValueTask<bool> WaitToReadAsync(ChannelReader<LogLine> reader, CancellationToken cancellationToken)
        {
            try
            {
                return await reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
    }
}
