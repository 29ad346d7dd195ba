/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the networked ISP share: rs485_line.c (turns, roll-call, packets), rs485_isp.c (commands)
 * and rs485_group.c (one pass for many units). Section names are those of rs485_isp.md. */
#ifndef FLASHFARM_STATIONS_PROTOCOLS_RS485_ISP_H
#define FLASHFARM_STATIONS_PROTOCOLS_RS485_ISP_H

#include "list.h"
#include "protocol.h"
#include "rs485_packet.h"

#define ADDRESSES 256u

/* How far a unit's session has come; the others ask before they break or begin a pass. */
enum unit_phase {
    UNIT_ABSENT,
    UNIT_MET,     /* answered: somebody looks who it is */
    UNIT_ERASING, /* will write */
    UNIT_BETWEEN, /* has taken part in a pass: writes again, or verifies */
    UNIT_WRITING, /* or later */
};

struct unit {
    enum unit_phase phase;
    int64_t met_us;   /* when its session began */
    int64_t seen_us;  /* its session's last turn */
    bool joined;      /* a member: roll-call 0 opens its ear without an answer */
    bool asked;       /* to join without a session, so that roll-call 0 stays silent */
    bool waiting;     /* its session waits for its turn */
    bool completed;   /* was sent to its application: only a break brings it back */
    unsigned mute;    /* requests in a row without an answer */
    uint8_t data_max; /* what DESCRIBE told: M, … */
    uint8_t page_size;
    uint8_t erase_ms;                   /* … E, … */
    uint8_t page_100us, checksum_100us; /* … P and K, in tenths of a millisecond */
};

enum echo { ECHO_UNKNOWN, ECHO_NONE, ECHO_HEARD };
enum ears { EARS_UNKNOWN, EARS_ONE, EARS_ALL };

/* What all sessions of one line know together. */
struct isp_line {
    uint32_t baud;           /* what the units are synchronised at; 0: none is */
    int64_t spoken_us;       /* our last byte: for 2 s after it no unit leaves the ISP */
    int64_t heard_us;        /* the last byte of a unit, which may drive the line for two frames more */
    int64_t broken_us;       /* the last break; 0: none while the line was kept awake */
    int64_t probed_us;       /* the last probe beside others' work */
    int64_t single_until_us; /* no opening of all ears before: something was lost just now */
    enum echo echo;          /* whether the adapter hears what it sends */
    enum ears ears;
    uint8_t ear;           /* EARS_ONE: whose */
    bool strangers;        /* roll-call 0 was answered: somebody is here who has not joined */
    uint8_t group;         /* the last pass's number */
    int64_t slack_us;      /* what passes leave between packets beyond section 3, after some were lost */
    unsigned connecting;   /* sessions on their way to contact, which can still succeed */
    struct list gathering; /* struct gather of rs485_group.c */
    struct unit units[ADDRESSES];
};

struct isp {
    struct isp_line *line; /* shared through the port, or `own` */
    struct isp_line own;   /* of a port that is no shared line: one unit, found by roll-call 0 */
    uint8_t address;
    bool shared;
    bool attached;
};

struct request {
    uint8_t address;
    enum isp_command command;
    const uint8_t *data;
    size_t size;
    int64_t own_us;   /* section 4's own time */
    const char *what; /* for sentences */
};

struct answer {
    uint8_t packet[ISP_PACKET_MAX];
    const uint8_t *data;
    size_t size; /* of data */
};

static inline struct isp *isp_of(const struct session *session)
{
    return session->state;
}

static inline struct unit *unit_of(const struct session *session, uint8_t address)
{
    return &isp_of(session)->line->units[address];
}

/* rs485_line.c. Finds what is known of the line; at the first call of a session. */
void isp_attach(struct session *session);
/* Those who wait for something to change on the line look again. */
void isp_tell_others(struct session *session);
/* Whether units are still where we left them: not after two seconds of silence. */
bool isp_awake(struct session *session);
/* In one's turn, without a break: who sits in the ISP answers. Nobody did: isp_silent(status). */
int isp_call_me(struct session *session, struct error *error);
bool isp_silent(int status);
/* In one's turn. Opens this unit's ear and closes all others. -EAGAIN: it does not answer. */
int isp_select(struct session *session, uint8_t address, struct error *error);
/* Until this unit answers, with a break where that may be. FAILURE_NO_CONTACT. */
int isp_contact(struct session *session, struct error *error);
/* One turn of isp_ask(), without judging the answer's status. */
int isp_ask_once(struct session *session, const struct request *request, struct answer *answer,
                 struct error *error);

/* Takes turns, selects the unit, sends, and reads the answer, three times if need be. -ETIMEDOUT: mute;
 * -EPROTO: nonsense; -EBADMSG or a failure class: the unit's status says no. */
int isp_ask(struct session *session, const struct request *request, struct answer *answer,
            struct error *error);

/* In one's turn. Opens the ears of all members: 0, -EAGAIN when somebody else answered, or an error. */
int isp_open_all(struct session *session, struct error *error);
/* In one's turn. Sends a request that nobody answers, and waits until it has been executed. */
int isp_tell_all(struct session *session, const struct request *request, struct error *error);

/* Whether the unit that was identified still answers: -EPROTO when it is another one. */
int isp_same_unit(struct session *session, struct error *error);
/* WRITE to one unit; at most its data max. */
int isp_write_piece(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                    struct error *error);
/* Own time of a write of so many bytes at that address. */
int64_t isp_write_us(const struct unit *unit, uint32_t address, uint32_t size);

/* Sessions on this line that have begun to change their units' flash. */
unsigned isp_working(const struct session *session, bool without_me);
/* Sessions that have yet to come to the gathering, as far as one can know. */
unsigned isp_expected(const struct session *session);
/* Keeps the units from leaving their loader while nothing is said; has its own turn. */
int isp_keep_awake(struct session *session, struct error *error);
void isp_set_phase(struct session *session, enum unit_phase phase);

/* rs485_group.c: the protocol's write_range. */
int isp_write_range(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                    struct error *error);
/* Whether the unit of that address stands in the gathering. */
bool isp_gathered(const struct isp_line *line, uint8_t address);

#endif
