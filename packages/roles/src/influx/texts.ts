/** What the shell says of itself. The commands and flags are those of `influx` 1.x; the words are ours. */
export const SHELL_HELP = `Commands of the shell:
        connect <host:port>   talk to the server at this address from now on
        auth                  ask for a user name and password
        use <db_name>         run statements in this database; use <db>.<rp> for a retention policy too
        clear                 forget the database or retention policy; 'clear' alone lists the forms
        format <format>       print answers as json, csv or column
        precision <format>    print times as rfc3339 or as a count of h, m, s, ms, u or ns
        pretty                indent json, or stop indenting it
        chunked               let the server send an answer in pieces, or in one
        chunk size <size>     rows in a piece; 0 leaves it to the server
        consistency <level>   how many nodes must take a write: any, one, quorum or all
        settings              list what is set
        history               list the statements given so far
        exit/quit/ctrl+d      leave

Statements to look around with:
        show databases, show measurements, show series, show tag keys, show field keys
`;

export const CLEAR_HELP = `What 'clear' can forget:
    clear database, clear db
    clear retention policy, clear rp
`;

/** The two remarks follow an error in the output, where scripts match them: these are the original's to the letter. */
export const NO_DATABASE_WARNING = `Warning: It is possible this error is due to not setting a database.
Please set a database with the command "use <database>".
`;

export const NO_DATABASE_NOTE = `Note: error may be due to not setting a database or retention policy.
Please set a database with the command "use <database>" or
INSERT INTO <database>.<retention-policy> <point>
`;

export const PROGRAM_USAGE = `Usage of influx:
  -version
        print the version and leave
  -host 'host name', -port 'port #'
        the server's address
  -path-prefix 'path'
        what stands before the path of each request
  -database 'database name'
        the database that statements run in
  -username 'username', -password 'password'
        who asks; -password '' asks for the password
  -ssl
        speak https
  -unsafeSsl
        take any certificate of an https server
  -execute 'command'
        run this and leave
  -format 'json|csv|column'
        how answers are printed
  -precision 'rfc3339|h|m|s|ms|u|ns'
        how times are printed
  -consistency 'any|one|quorum|all'
        how many nodes must take a write
  -pretty
        indent json
  -node 'id'
        the node that statements are for

For example:
    $ influx -database 'prometheus' -execute 'show measurements' -format 'csv'
    $ influx -host '127.0.0.2' -port '8086' -database 'prometheus'
`;
