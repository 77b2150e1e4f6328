namespace AspireStreaming.Cli.Audit;

/// <summary>Shows how an audit of all streams gets on. Members may be called by several threads at once.</summary>
internal interface IAuditProgress
{
    /// <summary>Runs the audit while showing it.</summary>
    Task RunAsync(Func<Task> audit);

    /// <summary>So many streams were found so far.</summary>
    void Listed(int streams);

    /// <summary>So many streams are done, of so many.</summary>
    void Audited(int done, int streams, int withFindings);

    /// <summary>Something that the user may want to know, such as a repeated request.</summary>
    void Note(string message);
}
