namespace AspireStreaming.Archive;

/// <summary>
/// Asks something that is cheaper to ask about several things at once. A question is asked at once while none is under way; those that
/// come meanwhile are asked together after that, or beside it when they are many. So much asking costs few round trips, and little waits
/// for nothing. Thread-safe.
/// </summary>
/// <remarks>
/// Nothing here waits longer than those who ask: when all those of a round have given up, it is cancelled, and the next begins without
/// waiting for its end.
/// </remarks>
/// <param name="ask">
/// Answers each question, in order; fails by its task alone. Its token is cancelled when nobody waits any more.
/// </param>
/// <param name="enough">How many questions have to wait before another round begins beside those under way; also the most in a round.</param>
/// <param name="mostUnderWay">Most rounds under way.</param>
internal sealed class Gathered<TQuestion, TAnswer>(
    Func<IReadOnlyList<TQuestion>, CancellationToken, Task<IReadOnlyList<TAnswer>>> ask, int enough, int mostUnderWay)
{
    private readonly Lock _lock = new();
    private readonly Queue<Asked> _waiting = new();
    private int _underWay;

    /// <summary>Asks.</summary>
    /// <exception cref="OperationCanceledException">Whoever asks gave up.</exception>
    /// <exception cref="Exception">What the asking throws, for each question of the round.</exception>
    public async Task<TAnswer> AskAsync(TQuestion question, CancellationToken cancellationToken)
    {
        var asked = new Asked(question);
        Round? round;
        lock (_lock)
        {
            _waiting.Enqueue(asked);
            round = _underWay == 0 || (_waiting.Count >= enough && _underWay < mostUnderWay) ? TakeLocked() : null;
        }

        if (round is not null)
        {
            _ = RunAsync(round);
        }

        await using (cancellationToken.UnsafeRegister((_, token) => GiveUp(asked, token), null).ConfigureAwait(false))
        {
            return await asked.Task.ConfigureAwait(false);
        }
    }

    /// <summary>The next round, which is under way from now on; null when nobody waits.</summary>
    private Round? TakeLocked()
    {
        var round = new Round();
        while (round.Asked.Count < enough && _waiting.TryDequeue(out var asked))
        {
            if (!asked.Task.IsCompleted)
            {
                asked.Round = round;
                round.Asked.Add(asked);
            }
        }

        round.Waiting = round.Asked.Count;
        if (round.Waiting == 0)
        {
            return null;
        }

        _underWay++;
        return round;
    }

    /// <summary>Never fails; ends soon after the last who waits for it.</summary>
    private async Task RunAsync(Round round)
    {
        try
        {
            using var givenUp = new CancellationTokenSource();
            var asking = ask([.. round.Asked.Select(static asked => asked.Question)], givenUp.Token);
            var isAbandoned = await Task.WhenAny(asking, round.Abandoned.Task).ConfigureAwait(false) != asking;
            Round? next;
            lock (_lock)
            {
                _underWay--;
                next = TakeLocked();
            }

            if (next is not null)
            {
                _ = RunAsync(next);
            }

            if (isAbandoned)
            {
                await givenUp.CancelAsync().ConfigureAwait(false);
            }

            var answers = await asking.ConfigureAwait(false);
            for (var index = 0; index < answers.Count; index++)
            {
                round.Asked[index].TrySetResult(answers[index]);
            }
        }
        catch (Exception exception)
        {
            foreach (var asked in round.Asked)
            {
                asked.TrySetException(exception);
            }
        }
    }

    private void GiveUp(Asked asked, CancellationToken cancellationToken)
    {
        if (!asked.TrySetCanceled(cancellationToken))
        {
            return;
        }

        Round? abandoned = null;
        lock (_lock)
        {
            if (asked.Round is { } round && --round.Waiting == 0)
            {
                abandoned = round;
            }
        }

        abandoned?.Abandoned.TrySetResult();
    }

    private sealed class Asked(TQuestion question) : TaskCompletionSource<TAnswer>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public TQuestion Question { get; } = question;

        /// <summary>The round it is asked in; under the lock.</summary>
        public Round? Round { get; set; }
    }

    private sealed class Round
    {
        public List<Asked> Asked { get; } = [];

        /// <summary>How many still wait; under the lock.</summary>
        public int Waiting { get; set; }

        public TaskCompletionSource Abandoned { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
