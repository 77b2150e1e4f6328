namespace AspireStreaming.StreamApi.Delivery;

/// <summary>
/// Looks at a stream's tail for many who ask at once: whoever asks gets the answer to a question that was put after it asked, and
/// those who ask while one is under way share the next. A thousand readers who come together cost two questions, not a thousand.
/// Thread-safe.
/// </summary>
internal sealed class SharedTail(Func<Task<StreamTail>> ask)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource<StreamTail>? _next;
    private bool _asking;

    /// <summary>Where the stream ends, not before now.</summary>
    public Task<StreamTail> ReadAsync()
    {
        Task<StreamTail> answer;
        lock (_lock)
        {
            _next ??= new TaskCompletionSource<StreamTail>(TaskCreationOptions.RunContinuationsAsynchronously);
            answer = _next.Task;
            if (_asking)
            {
                return answer;
            }

            _asking = true;
        }

        // It reports to its completion sources, whatever happens.
        _ = AskAsync();
        return answer;
    }

    private async Task AskAsync()
    {
        while (true)
        {
            TaskCompletionSource<StreamTail> current;
            lock (_lock)
            {
                if (_next is null)
                {
                    _asking = false;
                    return;
                }

                current = _next;
                _next = null;
            }

            try
            {
                current.SetResult(await ask());
            }
            catch (Exception exception)
            {
                current.SetException(exception);

                // Those who wait may all have left.
                _ = current.Task.Exception;
            }
        }
    }
}
